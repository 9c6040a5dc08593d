# One static binary per image and nothing else: no shell, no libc, CA roots compiled in.
# The binaries are built on the host (cluster/build.sh); the context is the folder that holds them:
#   docker build --target users -t golive/users:TAG CONTEXT
FROM scratch AS users
# Which build of the service; the classic builder knows no named contexts.
ARG USERS=users/users
COPY ${USERS} /users
# Numeric, so that the kubelet can prove runAsNonRoot.
USER 65532:65532
EXPOSE 8080 8081
ENTRYPOINT ["/users"]

FROM scratch AS validator
COPY validator/validator /validator
USER 65532:65532
ENTRYPOINT ["/validator"]
