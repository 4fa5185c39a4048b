// Command image builds Tanggap's container image as an OCI archive, without a container engine and
// without a registry: the static binary and the certificates to trust, on nothing. It makes what the
// Dockerfile makes; what is changed here is changed there.
//
//	image --reference ghcr.io/tanggap/tanggap:v0.1.0 --binary linux/amd64=PATH --binary linux/arm64=PATH --output FILE
//
// The same binaries, certificates and SOURCE_DATE_EPOCH give the same bytes. Load the archive with
// `docker load`, `podman load`, `ctr images import` or `skopeo copy oci-archive:FILE docker://...`.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
)

func main() {
	if err := run(os.Args[1:], os.Getenv("SOURCE_DATE_EPOCH")); err != nil {
		fmt.Fprintln(os.Stderr, "image:", err)
		os.Exit(1)
	}
}

// run builds the image that the arguments ask for; epoch is the value of SOURCE_DATE_EPOCH.
func run(args []string, epoch string) error {
	flags := flag.NewFlagSet("image", flag.ContinueOnError)
	var (
		spec         = Spec{}
		binaries     []string
		reference    = flags.String("reference", "", "name of the image, with its tag")
		certificates = flags.String("ca-certificates", "", "PEM bundle of the authorities to trust (default: this machine's)")
		output       = flags.String("output", "", "archive to write")
	)
	flags.StringVar(&spec.Version, "version", "dev", "version for the image's label")
	flags.StringVar(&spec.Revision, "revision", "unknown", "commit for the image's label")
	flags.Func("binary", "OS/ARCH=PATH of the static binary; once for each platform", func(value string) error {
		binaries = append(binaries, value)
		return nil
	})
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *output == "" || flags.NArg() > 0 {
		return errors.New("--output is required, and nothing but flags is accepted")
	}

	var err error
	if spec.Reference, err = name.NewTag(*reference, name.StrictValidation); err != nil {
		return fmt.Errorf("reading --reference: %w", err)
	}
	if spec.Created, err = createdAt(epoch); err != nil {
		return err
	}
	if spec.Certificates, err = readCertificates(*certificates); err != nil {
		return err
	}
	for _, value := range binaries {
		binary, err := readBinary(value)
		if err != nil {
			return fmt.Errorf("reading --binary %s: %w", value, err)
		}
		spec.Binaries = append(spec.Binaries, binary)
	}
	index, err := Build(spec)
	if err != nil {
		return err
	}
	return WriteArchive(*output, spec, index)
}

// createdAt reads SOURCE_DATE_EPOCH (https://reproducible-builds.org/specs/source-date-epoch/); the
// beginning of time when it is not set, so that an unset variable still gives the same bytes twice.
func createdAt(epoch string) (time.Time, error) {
	if epoch == "" {
		return time.Unix(0, 0).UTC(), nil
	}
	seconds, err := strconv.ParseInt(epoch, 10, 64)
	if err != nil || seconds < 0 {
		return time.Time{}, fmt.Errorf("SOURCE_DATE_EPOCH is %q, not a number of seconds", epoch)
	}
	return time.Unix(seconds, 0).UTC(), nil
}

// bundles are the places where Linux distributions keep the authorities they trust.
func bundles() []string {
	return []string{
		"/etc/ssl/certs/ca-certificates.crt",
		"/etc/pki/tls/certs/ca-bundle.crt",
		"/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
		"/etc/ssl/ca-bundle.pem",
		"/etc/ssl/cert.pem",
	}
}

// readCertificates returns the bundle at path, or this machine's when path is empty. An image without
// any could reach no channel, so having none is an error.
func readCertificates(path string) ([]byte, error) {
	candidates := bundles()
	if path != "" {
		candidates = []string{path}
	}
	for _, candidate := range candidates {
		pem, err := os.ReadFile(candidate)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("reading certificates: %w", err)
		}
		if !strings.Contains(string(pem), "-----BEGIN CERTIFICATE-----") {
			return nil, fmt.Errorf("%s holds no PEM certificate", candidate)
		}
		return pem, nil
	}
	return nil, fmt.Errorf("no certificates at %s: install ca-certificates or pass --ca-certificates", strings.Join(candidates, ", "))
}

// readBinary reads a flag of the form OS/ARCH=PATH and the file it names.
func readBinary(value string) (Binary, error) {
	platform, path, ok := strings.Cut(value, "=")
	if !ok {
		return Binary{}, errors.New("want OS/ARCH=PATH")
	}
	parsed, err := v1.ParsePlatform(platform)
	if err != nil {
		return Binary{}, err
	}
	content, err := os.ReadFile(path)
	if err != nil {
		return Binary{}, err
	}
	return Binary{Platform: *parsed, Content: content}, nil
}
