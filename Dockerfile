# One static binary per image and nothing else: no shell, no libc, CA roots compiled in.
# The binaries are built on the host, see cluster/build.sh:
#   docker build --target users -t golive/users:TAG DIR-WITH-THE-BINARY
FROM scratch AS users
COPY users /users
# Numeric, so that the kubelet can prove runAsNonRoot.
USER 65532:65532
EXPOSE 8080 8081
ENTRYPOINT ["/users"]

FROM scratch AS validator
COPY validator /validator
USER 65532:65532
ENTRYPOINT ["/validator"]
