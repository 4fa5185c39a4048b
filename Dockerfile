# syntax=docker/dockerfile:1
# The image of Tanggap: one static binary on nothing. `make image` builds the same without a Docker
# engine (hack/image); what is changed here is changed there.
#
#   docker buildx build --platform linux/amd64,linux/arm64 --build-arg VERSION=v0.1.0 -t REGISTRY/tanggap .

FROM --platform=$BUILDPLATFORM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN --mount=type=cache,target=/go/pkg/mod go mod download
COPY . .
ARG TARGETOS=linux TARGETARCH VERSION=dev
# The compiler runs on the building machine and cross-compiles: no emulation for other platforms.
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH go build -trimpath -buildvcs=false \
    -ldflags "-s -w -X main.version=$VERSION" -o /out/tanggap ./cmd/tanggap

FROM scratch
ARG VERSION=dev REVISION=unknown
LABEL org.opencontainers.image.title="tanggap" \
      org.opencontainers.image.description="Unanswered citizen complaints and broken response promises as Prometheus metrics" \
      org.opencontainers.image.source="https://github.com/tanggap/tanggap" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION"
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build --chmod=0555 /out/tanggap /tanggap
# A number, so that a pod's runAsNonRoot can be checked without a passwd file.
USER 65532:65532
ENTRYPOINT ["/tanggap"]
