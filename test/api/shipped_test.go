package api_test

import (
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/tanggap/tanggap/internal/simulator/standalone"
)

func TestEveryShippedManifestIsAccepted(t *testing.T) {
	for _, m := range shippedManifests(t) {
		t.Run(m.source, func(t *testing.T) {
			t.Parallel()
			if err := dryRun(t.Context(), m.object); err != nil {
				t.Error(err)
			}
		})
	}
}

type shipped struct {
	source string
	object *unstructured.Unstructured
}

// shippedManifests are the objects in config/samples, in the YAML blocks of the documentation, and those that the
// simulators print.
func shippedManifests(t *testing.T) []shipped {
	t.Helper()
	var all []shipped
	collect := func(source, text string) {
		for i, document := range strings.Split(text, "\n---\n") {
			if !strings.Contains(document, "apiVersion: ") || strings.Contains(document, "apiVersion: kustomize.config.k8s.io/") {
				continue // a part of a manifest, or what kubectl makes manifests of
			}
			object := decode(t, document)
			if object.SetNamespace("default"); object.GetKind() == "Namespace" {
				object.SetNamespace("")
			}
			all = append(all, shipped{fmt.Sprintf("%s document %d %s", source, i+1, object.GetName()), object})
		}
	}
	root := filepath.Join("..", "..")
	for _, dir := range []string{filepath.Join(root, "config", "samples"), filepath.Join(root, "docs"), filepath.Join(root, "README.md")} {
		err := filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
			if err != nil {
				return err
			}
			switch filepath.Ext(path) {
			case ".yaml":
				collect(filepath.Base(path), read(t, path))
			case ".md":
				for _, block := range yamlBlocks(read(t, path)) {
					collect(filepath.Base(path), block)
				}
			}
			return nil
		})
		if err != nil {
			t.Fatalf("walking: %v", err)
		}
	}
	if len(all) < 60 {
		t.Fatalf("found %d manifests, so they are not where this test looks", len(all))
	}
	for _, kind := range standalone.Kinds() {
		setup := standalone.Setup{URL: "http://system.example:8001", DeliverTo: "http://hooks.example/hooks/a", Directory: t.TempDir(), Now: time.Now}
		collect("tanggap simulate "+kind.Name, standalone.New(kind, setup, &http.Transport{}, slog.New(slog.DiscardHandler)).Manifest("default", "simulated"))
	}
	return all
}
