package judge

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/yaml"

	"github.com/tanggap/tanggap/api/v1alpha1"
)

// documents are the YAML documents of config/samples and of the documentation's blocks, by where they stand.
func documents(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{}
	for _, place := range []string{"config/samples", "docs", "README.md"} {
		err := filepath.WalkDir(filepath.Join("..", "..", "..", place), func(path string, entry os.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				return err
			}
			text, err := os.ReadFile(path)
			blocks := []string{string(text)}
			if filepath.Ext(path) == ".md" {
				blocks = regexp.MustCompile("(?ms)^ *```yaml\n(.*?)```").FindAllString(string(text), -1)
			}
			for _, block := range blocks {
				block = strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(block), "```yaml\n"), "```")
				for document := range strings.SplitSeq(block, "\n---\n") {
					found[filepath.Base(path)+": "+document] = document
				}
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return found
}

// TestWhatWeShipAndShowIsAccepted judges every manifest of the samples and of the documentation as the operator does,
// since the API server takes an expression that does not compile.
func TestWhatWeShipAndShowIsAccepted(t *testing.T) {
	source, err := Sources()
	if err != nil {
		t.Fatal(err)
	}
	judge, judged := New(source), map[string]int{}
	for place, document := range documents(t) {
		var meta metav1.TypeMeta
		if err := yaml.Unmarshal([]byte(document), &meta); err != nil {
			t.Errorf("%s\n%v", place, err)
		}
		var got Verdict
		switch meta.Kind {
		case "ComplaintChannel":
			got = verdict(source(object[v1alpha1.ComplaintChannel](t, document)))
		case "ResponseSLA":
			got = verdict(compileSLA(object[v1alpha1.ResponseSLA](t, document), everOpen()))
		case "WorkCalendar":
			calendar := object[v1alpha1.WorkCalendar](t, document)
			calendar.UID = types.UID(place)
			got = judge.Calendar(calendar)
		case "ComplaintTaxonomy":
			taxonomy := object[v1alpha1.ComplaintTaxonomy](t, document)
			taxonomy.UID = types.UID(place)
			got = judge.Taxonomy(taxonomy)
		default:
			continue
		}
		if judged[meta.Kind]++; !got.Accepted() {
			t.Errorf("%s\n%s", place, got.Message)
		}
	}
	for kind, least := range map[string]int{"ComplaintChannel": 30, "ResponseSLA": 5, "WorkCalendar": 3, "ComplaintTaxonomy": 2} {
		if judged[kind] < least {
			t.Errorf("judged %d of kind %s, so they are not where this test looks", judged[kind], kind)
		}
	}
}

func object[T any](t *testing.T, document string) *T {
	t.Helper()
	made := new(T)
	if err := yaml.UnmarshalStrict([]byte(document), made); err != nil {
		t.Errorf("%v in\n%s", err, document)
	}
	return made
}
