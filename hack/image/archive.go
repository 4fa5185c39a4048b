package main

import (
	"archive/tar"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
)

// WriteArchive writes the index as an OCI archive: an OCI image layout in a tar file. The file appears
// whole or not at all.
func WriteArchive(output string, spec Spec, index v1.ImageIndex) (err error) {
	folder, err := os.MkdirTemp(filepath.Dir(output), ".image-")
	if err != nil {
		return err
	}
	defer func() {
		if removeErr := os.RemoveAll(folder); err == nil {
			err = removeErr
		}
	}()

	// Loaders disagree on where the name is: containerd and Docker read the first annotation, Podman and
	// Skopeo the second.
	named := mutate.AppendManifests(empty.Index, mutate.IndexAddendum{
		Add: index,
		Descriptor: v1.Descriptor{Annotations: map[string]string{
			"io.containerd.image.name":          spec.Reference.Name(),
			"org.opencontainers.image.ref.name": spec.Reference.TagStr(),
		}},
	})
	files := filepath.Join(folder, "layout")
	if _, err := layout.Write(files, named); err != nil {
		return fmt.Errorf("writing image layout: %w", err)
	}
	archive := filepath.Join(folder, "archive.tar")
	if err := writeTar(archive, files, spec.Created); err != nil {
		return fmt.Errorf("writing archive: %w", err)
	}
	return os.Rename(archive, output)
}

// writeTar writes the regular files below folder into a tar file, in the order of their names and all
// with the same owner, mode and time.
func writeTar(output, folder string, modified time.Time) error {
	file, err := os.Create(output)
	if err != nil {
		return err
	}
	archive := tar.NewWriter(file)
	root := os.DirFS(folder)
	err = fs.WalkDir(root, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		return addFile(archive, root, name, modified)
	})
	if err == nil {
		err = archive.Close()
	}
	if closeErr := file.Close(); err == nil {
		err = closeErr
	}
	return err
}

// addFile copies one file into the archive.
func addFile(archive *tar.Writer, root fs.FS, name string, modified time.Time) (err error) {
	file, err := root.Open(name)
	if err != nil {
		return err
	}
	defer func() {
		if closeErr := file.Close(); err == nil {
			err = closeErr
		}
	}()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	header := &tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644, Size: info.Size(), ModTime: modified}
	if err := archive.WriteHeader(header); err != nil {
		return err
	}
	_, err = io.Copy(archive, file)
	return err
}
