#!/bin/bash
# Runs inside the base container: what kind's own Dockerfile does between its COPY lines.
set -euo pipefail

wants=/lib/systemd/system
rm -f $wants/sysinit.target.wants/systemd-tmpfiles-setup.service
rm -f $wants/multi-user.target.wants/* /etc/systemd/system/*.wants/* $wants/local-fs.target.wants/* $wants/basic.target.wants/*
rm -f $wants/sockets.target.wants/*udev* $wants/sockets.target.wants/*initctl*
echo 'ReadKMsg=no' >>/etc/systemd/journald.conf
ln -sfn /usr/lib/systemd/systemd /sbin/init
systemctl enable kubelet.service containerd.service undo-mount-hacks.service
# It registers things in binfmt_misc, which belongs to the whole kernel.
systemctl mask systemd-binfmt.service

mkdir -p /etc/kubernetes/manifests /opt/cni/bin
cp /usr/lib/cni/{host-local,loopback,ptp,portmap} /opt/cni/bin/
ctr oci spec |
  jq '.hooks.createContainer += [{ path: "/kind/bin/mount-product-files.sh" }] | del(.process.rlimits)' >/etc/containerd/cri-base.json
rm -f /etc/cni/net.d/*
