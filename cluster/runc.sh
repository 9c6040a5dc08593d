#!/bin/sh
# OCI runtime for hosts whose bounding set lacks CAP_SYS_RESOURCE: runc cannot grant what the host does not have
# and refuses every privileged container, which kind's nodes are. Installed by engine.sh only where the bit is missing.
previous='' bundle='' process='' action=''
for argument; do
  case $previous in
    --bundle | -b) bundle=$argument ;;
    --process | -p) process=$argument ;;
  esac
  case $argument in
    --bundle=*) bundle=${argument#*=} ;;
    --process=*) process=${argument#*=} ;;
    create | run | exec) action=${action:-$argument} ;;
  esac
  previous=$argument
done
case $action in
  create | run) spec=${bundle:-.}/config.json ;;
  exec) spec=$process ;;
  *) spec='' ;;
esac
if [ -n "$spec" ] && [ -f "$spec" ]; then
  sed -i -e 's/"CAP_SYS_RESOURCE",//g' -e 's/,\{0,1\}"CAP_SYS_RESOURCE"//g' "$spec"
fi
exec runc "$@"
