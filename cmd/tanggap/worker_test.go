package main

import (
	"bytes"
	"encoding/json"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tanggap/tanggap/api/v1alpha1"
	"github.com/tanggap/tanggap/internal/simulator/open311"
	"github.com/tanggap/tanggap/internal/worker"
)

// checkWorker runs `tanggap worker --check` on channels of an Open311 server that wants the key k3y.
func checkWorker(t *testing.T, key string) (output string, err error) {
	t.Helper()
	requested := time.Now().Add(-time.Hour).Truncate(time.Second)
	city := open311.New(open311.Options{Now: time.Now, APIKey: "k3y"})
	city.AddRequest(open311.Request{Description: "Pohon tumbang", RequestedAt: requested})
	server := httptest.NewServer(city)
	t.Cleanup(server.Close)

	dir := t.TempDir()
	if key != "" {
		if err := os.MkdirAll(filepath.Join(dir, "open311"), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "open311", "api-key"), []byte(key+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	config := worker.Config{Channels: []worker.ChannelConfig{{Name: "city", Source: v1alpha1.ChannelSource{
		Type: v1alpha1.SourceOpen311,
		Open311: &v1alpha1.Open311Source{
			URL: v1alpha1.HTTPURL(server.URL + "/v2"), APIKeySecretRef: &v1alpha1.SecretKeyReference{Name: "open311", Key: "api-key"},
		},
	}}}}
	encoded, err := json.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "config.json")
	if err := os.WriteFile(file, encoded, 0o600); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	command := newRootCommand()
	command.SetOut(&out)
	command.SetArgs([]string{"worker", "--check", "--config", file, "--credentials-dir", dir})
	err = command.ExecuteContext(t.Context())
	return strings.ReplaceAll(out.String(), server.URL, ""), err
}

func TestWorkerCheckSaysInASentenceHowAChannelFares(t *testing.T) {
	for name, test := range map[string]struct{ key, want, fails string }{
		"the key is right":   {"k3y", "city (open311): answers; its first batch has 1 events of 1 complaints, the latest of ", ""},
		"the key is wrong":   {"other", "city (open311): Unauthorized: the source refused the credentials (403).\n", "not every channel is well"},
		"the key is missing": {"", "city (open311): CredentialMissing: Secret \"open311\", key \"api-key\": is missing.\n", "not every channel is well"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := checkWorker(t, test.key)
			if !strings.HasPrefix(got, test.want) {
				t.Errorf("printed %q, want %q", got, test.want)
			}
			said := ""
			if err != nil {
				said = err.Error()
			}
			if diff := cmp.Diff(test.fails, said); diff != "" {
				t.Errorf("error (-want +got):\n%s", diff)
			}
		})
	}
}
