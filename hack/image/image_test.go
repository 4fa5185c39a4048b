package main

import (
	"archive/tar"
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/google/go-containerregistry/pkg/v1/validate"
)

const certificates = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"

// executable is the smallest file that reads as a static ELF executable for the machine; with a loader
// it reads as a dynamic one.
func executable(t *testing.T, machine elf.Machine, loader bool) []byte {
	t.Helper()
	header := elf.Header64{
		Ident: [elf.EI_NIDENT]byte{
			0x7f, 'E', 'L', 'F', byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), byte(elf.EV_CURRENT),
		},
		Type: uint16(elf.ET_EXEC), Machine: uint16(machine), Version: uint32(elf.EV_CURRENT), Ehsize: 64, Phentsize: 56,
	}
	var file bytes.Buffer
	if loader {
		header.Phoff, header.Phnum = 64, 1
	}
	parts := []any{header}
	if loader {
		parts = append(parts, elf.Prog64{Type: uint32(elf.PT_INTERP)})
	}
	for _, part := range parts {
		if err := binary.Write(&file, binary.LittleEndian, part); err != nil {
			t.Fatal(err)
		}
	}
	return file.Bytes()
}

// write puts content into a new file below dir and returns its path.
func write(t *testing.T, dir, name string, content []byte) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// arguments ask for an image of both platforms.
func arguments(t *testing.T, dir, output string) []string {
	t.Helper()
	return []string{
		"--reference", "registry.example/tanggap:v1.2.3", "--version", "v1.2.3", "--revision", "abc",
		"--ca-certificates", write(t, dir, "ca.crt", []byte(certificates)),
		"--binary", "linux/amd64=" + write(t, dir, "amd64", executable(t, elf.EM_X86_64, false)),
		"--binary", "linux/arm64=" + write(t, dir, "arm64", executable(t, elf.EM_AARCH64, false)),
		"--output", output,
	}
}

// unpack extracts a tar file into a new folder.
func unpack(t *testing.T, archive string) string {
	t.Helper()
	file, err := os.Open(archive)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = file.Close() })
	dir := t.TempDir()
	for reader := tar.NewReader(file); ; {
		header, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return dir
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(reader)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, header.Name)), 0o700); err != nil {
			t.Fatal(err)
		}
		write(t, dir, header.Name, content)
	}
}

func TestArchiveIsAValidLayoutOfBothPlatforms(t *testing.T) {
	dir := t.TempDir()
	output := filepath.Join(dir, "image.tar")
	if err := run(arguments(t, dir, output), "1700000000"); err != nil {
		t.Fatal(err)
	}

	outer, err := layout.ImageIndexFromPath(unpack(t, output))
	if err != nil {
		t.Fatal(err)
	}
	if err := validate.Index(outer); err != nil {
		t.Fatal(err)
	}
	manifest, err := outer.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	if len(manifest.Manifests) != 1 {
		t.Fatalf("got %d entries in index.json, want the one index of the image", len(manifest.Manifests))
	}
	wantAnnotations := map[string]string{
		"io.containerd.image.name":          "registry.example/tanggap:v1.2.3",
		"org.opencontainers.image.ref.name": "v1.2.3",
	}
	if diff := cmp.Diff(wantAnnotations, manifest.Manifests[0].Annotations); diff != "" {
		t.Errorf("annotations (-want +got):\n%s", diff)
	}

	inner, err := outer.ImageIndex(manifest.Manifests[0].Digest)
	if err != nil {
		t.Fatal(err)
	}
	images, err := inner.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	var platforms []string
	for _, descriptor := range images.Manifests {
		if descriptor.MediaType != types.OCIManifestSchema1 {
			t.Errorf("got media type %s, want an OCI manifest", descriptor.MediaType)
		}
		platforms = append(platforms, descriptor.Platform.String())
		image, err := inner.Image(descriptor.Digest)
		if err != nil {
			t.Fatal(err)
		}
		checkImage(t, dir, image, descriptor.Platform.Architecture)
	}
	if diff := cmp.Diff([]string{"linux/amd64", "linux/arm64"}, platforms); diff != "" {
		t.Errorf("platforms (-want +got):\n%s", diff)
	}
}

// checkImage compares the configuration and the files of one platform's image.
func checkImage(t *testing.T, dir string, image v1.Image, architecture string) {
	t.Helper()
	config, err := image.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	want := v1.Config{
		User: "65532:65532", Entrypoint: []string{"/tanggap"}, WorkingDir: "/",
		Labels: map[string]string{
			"org.opencontainers.image.title":       "tanggap",
			"org.opencontainers.image.description": "Unanswered citizen complaints and broken response promises as Prometheus metrics",
			"org.opencontainers.image.source":      "https://github.com/tanggap/tanggap",
			"org.opencontainers.image.licenses":    "Apache-2.0",
			"org.opencontainers.image.version":     "v1.2.3",
			"org.opencontainers.image.revision":    "abc",
		},
	}
	if diff := cmp.Diff(want, config.Config); diff != "" {
		t.Errorf("%s: configuration (-want +got):\n%s", architecture, diff)
	}
	if config.Architecture != architecture || config.OS != "linux" || config.Created.Unix() != 1700000000 {
		t.Errorf("got %s/%s of %v, want linux/%s of the commit's time", config.OS, config.Architecture, config.Created, architecture)
	}

	layers, err := image.Layers()
	if err != nil {
		t.Fatal(err)
	}
	program, err := os.ReadFile(filepath.Join(dir, architecture))
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]entry{}
	for _, layer := range layers {
		readLayer(t, layer, got)
	}
	wantFiles := map[string]entry{
		"etc/":                              {Mode: 0o755},
		"etc/ssl/":                          {Mode: 0o755},
		"etc/ssl/certs/":                    {Mode: 0o755},
		"etc/ssl/certs/ca-certificates.crt": {Mode: 0o444, Content: certificates},
		"tanggap":                           {Mode: 0o555, Content: string(program)},
	}
	if diff := cmp.Diff(wantFiles, got); diff != "" {
		t.Errorf("%s: files (-want +got):\n%s", architecture, diff)
	}
}

// entry is a file of a layer, in what the image promises about it.
type entry struct {
	Mode    int64
	Content string
}

func readLayer(t *testing.T, layer v1.Layer, into map[string]entry) {
	t.Helper()
	stream, err := layer.Uncompressed()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = stream.Close() })
	for reader := tar.NewReader(stream); ; {
		header, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(reader)
		if err != nil {
			t.Fatal(err)
		}
		if header.Uid != 0 || header.Gid != 0 || !header.ModTime.Equal(time.Unix(1700000000, 0)) {
			t.Errorf("%s: got owner %d:%d and time %v, want root's and the commit's", header.Name, header.Uid, header.Gid, header.ModTime)
		}
		into[header.Name] = entry{Mode: header.Mode, Content: string(content)}
	}
}

func TestDockerfileMakesTheSameImage(t *testing.T) {
	content, err := os.ReadFile("../../Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	_, final, found := strings.Cut(string(content), "\nFROM scratch\n")
	if !found {
		t.Fatal("the Dockerfile's last stage does not start from scratch")
	}
	want := []string{
		"USER " + User, `ENTRYPOINT ["/tanggap"]`, "--chmod=0555 /out/tanggap /tanggap", " /" + CertificatesPath + "\n",
	}
	for name, value := range labels(Spec{Version: "$VERSION", Revision: "$REVISION"}) {
		want = append(want, name+`="`+value+`"`)
	}
	for _, line := range want {
		if !strings.Contains(final, line) {
			t.Errorf("the Dockerfile lacks %s", line)
		}
	}
	if got := strings.Count(final, "org.opencontainers.image."); got != len(labels(Spec{})) {
		t.Errorf("the Dockerfile has %d labels, the archive %d", got, len(labels(Spec{})))
	}
}

func TestSameInputGivesTheSameBytes(t *testing.T) {
	var archives [2][]byte
	for i := range archives {
		dir := t.TempDir()
		output := filepath.Join(dir, "image.tar")
		if err := run(arguments(t, dir, output), "1700000000"); err != nil {
			t.Fatal(err)
		}
		var err error
		if archives[i], err = os.ReadFile(output); err != nil {
			t.Fatal(err)
		}
		rest, err := filepath.Glob(filepath.Join(dir, ".image-*"))
		if err != nil || len(rest) > 0 {
			t.Errorf("left behind: %v (%v)", rest, err)
		}
	}
	if !bytes.Equal(archives[0], archives[1]) {
		t.Error("two builds of the same input differ")
	}
}

func TestInputThatCannotWorkIsRefused(t *testing.T) {
	type change func(dir string, args []string) []string
	replace := func(flag, value string) change {
		return func(_ string, args []string) []string {
			for i := range args {
				if args[i] == flag {
					args[i+1] = value
					break
				}
			}
			return args
		}
	}
	binary := func(content []byte) change {
		return func(dir string, args []string) []string {
			return replace("--binary", "linux/amd64="+write(t, dir, "other", content))(dir, args)
		}
	}
	tests := map[string]struct {
		change change
		epoch  string
		want   string
	}{
		"a reference without a name": {change: replace("--reference", ""), want: "--reference"},
		"a reference without a tag":  {change: replace("--reference", "registry.example/tanggap"), want: "--reference"},
		"a platform without a path":  {change: replace("--binary", "linux/amd64"), want: "want OS/ARCH=PATH"},
		"a binary that is not there": {change: replace("--binary", "linux/amd64=missing"), want: "no such file"},
		"a platform that is not built": {change: func(_ string, args []string) []string {
			return replace("--binary", strings.Replace(args[9], "linux/amd64", "linux/s390x", 1))("", args)
		}, want: "only linux/amd64 and linux/arm64"},
		"a shell script":                   {change: binary([]byte("#!/bin/sh\n")), want: "not an ELF executable"},
		"a binary of another architecture": {change: binary(executable(t, elf.EM_AARCH64, false)), want: "it is for EM_AARCH64"},
		"a binary that needs a loader":     {change: binary(executable(t, elf.EM_X86_64, true)), want: "linked dynamically"},
		"certificates that are not there":  {change: replace("--ca-certificates", "missing"), want: "no certificates at missing"},
		"no output":                        {change: replace("--output", ""), want: "--output is required"},
		"an epoch that is not a number":    {epoch: "yesterday", want: "SOURCE_DATE_EPOCH"},
		"a certificate bundle without any": {change: func(dir string, args []string) []string {
			return replace("--ca-certificates", write(t, dir, "empty", nil))(dir, args)
		}, want: "no PEM certificate"},
		"two binaries for the same platform": {change: func(_ string, args []string) []string { return append(args, args[8], args[9]) }, want: "two binaries for linux/amd64"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			args := arguments(t, dir, filepath.Join(dir, "image.tar"))
			if test.change != nil {
				args = test.change(dir, args)
			}
			err := run(args, test.epoch)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Fatalf("got error %v, want one with %q", err, test.want)
			}
			if _, err := os.Stat(filepath.Join(dir, "image.tar")); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("an archive was written all the same (%v)", err)
			}
		})
	}
}
