package manifest

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/tanggap/tanggap/api/v1alpha1"
	"github.com/tanggap/tanggap/internal/policy"
)

// fill gives every field of a value a value of its own.
func fill(v reflect.Value, n *int) {
	*n++
	switch special := v.Addr().Interface().(type) {
	case *metav1.Duration:
		special.Duration = time.Duration(*n) * time.Minute
		return
	case *metav1.Time:
		special.Time = time.Date(2026, 11, 23, 10, 0, *n%60, 0, time.UTC)
		return
	case *metav1.FieldsV1:
		special.SetRawString(`{}`)
		return
	case *resource.Quantity:
		*special = *resource.NewQuantity(int64(*n), resource.DecimalSI)
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), n)
	case reflect.Struct:
		for _, f := range v.Fields() {
			fill(f, n)
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := range 2 {
			fill(v.Index(i), n)
		}
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		value := reflect.New(v.Type().Elem()).Elem()
		fill(value, n)
		v.SetMapIndex(reflect.ValueOf("key"), value)
	case reflect.String:
		v.SetString("text-" + time.Duration(*n).String())
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int32, reflect.Int64:
		v.SetInt(int64(*n))
	default:
		panic("a field of kind " + v.Kind().String() + " is not filled")
	}
}

func filled[T any]() T {
	var value T
	n := 0
	fill(reflect.ValueOf(&value).Elem(), &n)
	return value
}

// TestEveryFieldSurvives fills every field of an API specification and compares its JSON form with that
// of the pure specification it became.
func TestEveryFieldSurvives(t *testing.T) {
	sla, taxonomy, calendar := filled[v1alpha1.ResponseSLASpec](), filled[v1alpha1.ComplaintTaxonomySpec](), filled[v1alpha1.WorkCalendarSpec]()
	for name, tt := range map[string]struct {
		spec    any
		convert func() (any, error)
	}{
		"ResponseSLA":       {sla, func() (any, error) { return SLA(&v1alpha1.ResponseSLA{Spec: sla}) }},
		"ComplaintTaxonomy": {taxonomy, func() (any, error) { return Taxonomy(&v1alpha1.ComplaintTaxonomy{Spec: taxonomy}) }},
		"WorkCalendar":      {calendar, func() (any, error) { return Calendar(&v1alpha1.WorkCalendar{Spec: calendar}) }},
	} {
		t.Run(name, func(t *testing.T) {
			pure, err := tt.convert()
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(plainJSON(t, tt.spec), plainJSON(t, pure)); diff != "" {
				t.Errorf("(-API +pure):\n%s", diff)
			}
		})
	}
}

func plainJSON(t *testing.T, value any) any {
	t.Helper()
	encoded, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	var plain any
	if err := json.Unmarshal(encoded, &plain); err != nil {
		t.Fatal(err)
	}
	return plain
}

func TestChannel(t *testing.T) {
	unofficial := false
	object := &v1alpha1.ComplaintChannel{Spec: v1alpha1.ComplaintChannelSpec{
		Source: v1alpha1.ChannelSource{Type: "webhook"}, Official: &unofficial, Suspend: true,
		SLARef: &v1alpha1.LocalReference{Name: "city"}, CalendarRef: &v1alpha1.LocalReference{Name: "office"}, TaxonomyRef: &v1alpha1.LocalReference{Name: "words"},
	}}
	want := policy.Channel{Type: "webhook", Writer: "w", SLA: "city", Calendar: "office", Taxonomy: "words", Suspended: true}
	if diff := cmp.Diff(want, Channel(object, "w")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if !Channel(&v1alpha1.ComplaintChannel{}, "").Official {
		t.Error("a channel is not official by default")
	}
}

func TestLedger(t *testing.T) {
	object := &v1alpha1.ComplaintLedger{Spec: v1alpha1.ComplaintLedgerSpec{
		Retention: &v1alpha1.Retention{Content: &metav1.Duration{Duration: 720 * time.Hour}, Handles: &metav1.Duration{Duration: time.Hour}},
		Privacy:   &v1alpha1.Privacy{StoreHandles: true},
		Linking:   &v1alpha1.Linking{Window: metav1.Duration{Duration: 48 * time.Hour}},
	}}
	if diff := cmp.Diff(policy.Retention{Content: "720h0m0s", Handles: "1h0m0s", Idle: "8784h0m0s", StoreHandles: true}, Retention(object)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(policy.Linking{Window: "48h0m0s"}, Linking(object)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(policy.Retention{}, Retention(&v1alpha1.ComplaintLedger{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
