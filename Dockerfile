# syntax=docker/dockerfile:1
# The image of teller: one binary, the providers' profiles, no shell. `docker build -t teller:local .`
#
# The same image runs the reference provider and the reference app (`mock-provider`, `mock-provider app`).

# ---- build -------------------------------------------------------------------------------------------
# The toolchain that Cargo.toml names as rust-version. Debian 13 here and below: one glibc.
FROM rust:1.95-slim-trixie AS build
WORKDIR /build

# The dependencies are a layer of their own: they are built from the manifests and the lock file, with empty
# sources, and are built again only when one of these changes. Nothing is fetched that the lock file does not name.
COPY Cargo.toml Cargo.lock ./
COPY mock-provider/Cargo.toml mock-provider/
RUN mkdir -p src benches/accept mock-provider/src \
 && echo 'fn main() {}' | tee src/main.rs benches/interpret.rs benches/webhook.rs benches/accept/main.rs \
      mock-provider/src/main.rs > /dev/null \
 && touch src/lib.rs mock-provider/src/lib.rs \
 && cargo build --release --locked --bin teller

# What is built in. COPY keeps the files' times, which may be older than the empty sources' build: without `touch`,
# cargo would take the empty ones for the newer. Function names stay in the program, for backtraces.
COPY src src
COPY mock-provider/src mock-provider/src
COPY providers providers
RUN touch src/main.rs src/lib.rs mock-provider/src/lib.rs \
 && cargo build --release --locked --bin teller \
 && install -D target/release/teller /image/usr/bin/teller \
 && strip --strip-debug /image/usr/bin/teller \
 && mkdir -p /image/usr/share/teller /image/var/lib/teller \
 && cp -r providers /image/usr/share/teller/providers

# ---- image -------------------------------------------------------------------------------------------
# glibc, libgcc and the CA certificates; no shell, no package manager. 65532 is its user "nonroot".
FROM gcr.io/distroless/cc-debian13:nonroot
COPY --from=build /image/usr /usr
# An empty named volume takes its owner from here.
COPY --from=build --chown=65532:65532 /image/var/lib/teller /var/lib/teller
USER 65532:65532
WORKDIR /var/lib/teller
VOLUME /var/lib/teller
ENV TELLER_CONFIG=/etc/teller/teller.toml
# 8080: apps, providers, operators. 8081: the other nodes.
EXPOSE 8080 8081
STOPSIGNAL SIGTERM
# Alive, not ready: some engines kill what is unhealthy, and a teller whose store is away must not be killed
# for it. Load balancers and `depends_on` ask for readiness: `teller healthcheck` without --live.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --start-interval=1s --retries=3 \
  CMD ["teller", "healthcheck", "--live"]
ENTRYPOINT ["teller"]
CMD ["serve"]
