package main

import (
	"archive/tar"
	"bytes"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"path"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// User is the user and group the binary runs as: a number, so that a pod's runAsNonRoot can be
// checked without a passwd file.
const User = "65532:65532"

// CertificatesPath is where Go looks for the authorities to trust first.
const CertificatesPath = "etc/ssl/certs/ca-certificates.crt"

// Spec says what goes into the image.
type Spec struct {
	Reference         name.Tag  // the name the image is loaded under
	Version, Revision string    // for the labels
	Created           time.Time // the time of every file and of the image, in UTC
	Certificates      []byte    // PEM
	Binaries          []Binary  // one for each platform
}

// Binary is the static binary for one platform.
type Binary struct {
	Platform v1.Platform
	Content  []byte
}

// Build returns the image of every platform under one index. It refuses a binary that could not start
// in an image that holds nothing else.
func Build(spec Spec) (v1.ImageIndex, error) {
	if len(spec.Binaries) == 0 {
		return nil, errors.New("no binary: pass --binary at least once")
	}
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	seen := map[string]bool{}
	for _, binary := range spec.Binaries {
		platform := binary.Platform.String()
		if seen[platform] {
			return nil, fmt.Errorf("two binaries for %s", platform)
		}
		seen[platform] = true
		if err := checkBinary(binary); err != nil {
			return nil, fmt.Errorf("binary for %s: %w", platform, err)
		}
		image, err := buildImage(spec, binary)
		if err != nil {
			return nil, fmt.Errorf("building image for %s: %w", platform, err)
		}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{
			Add:        image,
			Descriptor: v1.Descriptor{Platform: &binary.Platform},
		})
	}
	return index, nil
}

// checkBinary makes sure that the file is an executable for its platform that needs no loader.
func checkBinary(binary Binary) error {
	machine, known := map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64}[binary.Platform.Architecture]
	if binary.Platform.OS != "linux" || !known {
		return errors.New("only linux/amd64 and linux/arm64 are built")
	}
	file, err := elf.NewFile(bytes.NewReader(binary.Content))
	if err != nil {
		return fmt.Errorf("not an ELF executable: %w", err)
	}
	if file.Machine != machine {
		return fmt.Errorf("it is for %s", file.Machine)
	}
	for _, program := range file.Progs {
		if program.Type == elf.PT_INTERP {
			return errors.New("it is linked dynamically: build it with CGO_ENABLED=0")
		}
	}
	return nil
}

// buildImage makes the image of one platform: the certificates and the binary, a layer each, so that a
// new version does not ship the certificates again.
func buildImage(spec Spec, binary Binary) (v1.Image, error) {
	config := &v1.ConfigFile{
		Architecture: binary.Platform.Architecture,
		OS:           binary.Platform.OS,
		Created:      v1.Time{Time: spec.Created},
		Config: v1.Config{
			User:       User,
			Entrypoint: []string{"/tanggap"},
			WorkingDir: "/",
			Labels:     labels(spec),
		},
		RootFS: v1.RootFS{Type: "layers"},
	}
	image, err := mutate.ConfigFile(empty.Image, config)
	if err != nil {
		return nil, err
	}
	image = mutate.ConfigMediaType(mutate.MediaType(image, types.OCIManifestSchema1), types.OCIConfigJSON)
	for _, file := range []struct {
		path    string
		mode    int64
		content []byte
	}{
		{CertificatesPath, 0o444, spec.Certificates},
		{"tanggap", 0o555, binary.Content},
	} {
		layer, err := fileLayer(file.path, file.mode, file.content, spec.Created)
		if err != nil {
			return nil, fmt.Errorf("layer of %s: %w", file.path, err)
		}
		image, err = mutate.Append(image, mutate.Addendum{
			Layer:   layer,
			History: v1.History{Created: v1.Time{Time: spec.Created}, CreatedBy: "COPY /" + file.path},
		})
		if err != nil {
			return nil, err
		}
	}
	return image, nil
}

// labels are those of the Dockerfile.
func labels(spec Spec) map[string]string {
	return map[string]string{
		"org.opencontainers.image.title":       "tanggap",
		"org.opencontainers.image.description": "Unanswered citizen complaints and broken response promises as Prometheus metrics",
		"org.opencontainers.image.source":      "https://github.com/tanggap/tanggap",
		"org.opencontainers.image.licenses":    "Apache-2.0",
		"org.opencontainers.image.version":     spec.Version,
		"org.opencontainers.image.revision":    spec.Revision,
	}
}

// fileLayer is a layer of one file, owned by root, and the folders above it.
func fileLayer(name string, mode int64, content []byte, modified time.Time) (v1.Layer, error) {
	var buffer bytes.Buffer
	archive := tar.NewWriter(&buffer)
	for _, folder := range parents(name) {
		header := &tar.Header{Typeflag: tar.TypeDir, Name: folder + "/", Mode: 0o755, ModTime: modified}
		if err := archive.WriteHeader(header); err != nil {
			return nil, err
		}
	}
	header := &tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: mode, Size: int64(len(content)), ModTime: modified}
	if err := archive.WriteHeader(header); err != nil {
		return nil, err
	}
	if _, err := archive.Write(content); err != nil {
		return nil, err
	}
	if err := archive.Close(); err != nil {
		return nil, err
	}
	opener := func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(buffer.Bytes())), nil }
	return tarball.LayerFromOpener(opener, tarball.WithMediaType(types.OCILayer))
}

// parents are the folders above a relative path, from the top.
func parents(name string) []string {
	var folders []string
	for folder := path.Dir(name); folder != "."; folder = path.Dir(folder) {
		folders = append([]string{folder}, folders...)
	}
	return folders
}
