package localnode

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

func portOf(t *testing.T, server *httptest.Server) int {
	t.Helper()
	_, port, err := net.SplitHostPort(server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	return number
}

func TestProbesAskWhatTheyShould(t *testing.T) {
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/ok" && r.URL.RawQuery == "deep=1" && r.Header.Get("X-Probe") == "yes" && r.Host == "city.test":
		case r.URL.Path == "/moved":
			http.Redirect(w, r, "/broken", http.StatusFound)
		default:
			w.WriteHeader(http.StatusInternalServerError)
		}
	})
	plain, secure := httptest.NewServer(handler), httptest.NewTLSServer(handler)
	defer plain.Close()
	defer secure.Close()
	container := &corev1.Container{Name: "main", Ports: []corev1.ContainerPort{{Name: "http", ContainerPort: int32(portOf(t, plain))}}}
	headers := []corev1.HTTPHeader{{Name: "X-Probe", Value: "yes"}, {Name: "Host", Value: "city.test"}}
	get := func(path string, port intstr.IntOrString, scheme corev1.URIScheme) corev1.ProbeHandler {
		return corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Path: path, Port: port, Scheme: scheme, HTTPHeaders: headers}}
	}
	cases := map[string]struct {
		handler corev1.ProbeHandler
		passes  bool
		refused bool
	}{
		"a named port":                {handler: get("/ok?deep=1", intstr.FromString("http"), ""), passes: true},
		"a certificate nobody issued": {handler: get("/ok?deep=1", intstr.FromInt(portOf(t, secure)), corev1.URISchemeHTTPS), passes: true},
		"a redirect is an answer":     {handler: get("/moved", intstr.FromString("http"), ""), passes: true},
		"an error":                    {handler: get("/broken", intstr.FromString("http"), "")},
		"plain HTTP to a TLS port":    {handler: get("/ok?deep=1", intstr.FromInt(portOf(t, secure)), corev1.URISchemeHTTP)},
		"a port that is open":         {handler: corev1.ProbeHandler{TCPSocket: &corev1.TCPSocketAction{Port: intstr.FromString("http")}}, passes: true},
		"a port that is closed":       {handler: corev1.ProbeHandler{TCPSocket: &corev1.TCPSocketAction{Port: intstr.FromInt32(1)}}},
		"an unknown port":             {handler: get("/ok", intstr.FromString("nobody"), ""), refused: true},
		"a command":                   {handler: corev1.ProbeHandler{Exec: &corev1.ExecAction{Command: []string{"true"}}}, refused: true},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			p, err := newProbe(&corev1.Probe{ProbeHandler: c.handler}, container, "127.0.0.1")
			if (err != nil) != c.refused {
				t.Fatalf("making the probe gave %v", err)
			}
			if err == nil && p.ask(t.Context()) != c.passes {
				t.Errorf("passes is %v, want %v", !c.passes, c.passes)
			}
		})
	}
}

// TestProbeCountsItsThresholds gives a probe a row of answers and notes at which of them its verdict
// changes.
func TestProbeCountsItsThresholds(t *testing.T) {
	cases := map[string]struct {
		success, failure int32
		answers          string // + passes, - fails
		want             []int
	}{
		"one is enough":                      {1, 1, "-+-+", []int{1, 2, 3}},
		"three failures in a row":            {1, 3, "+--+---", []int{0, 6}},
		"two successes in a row":             {2, 1, "+-++-", []int{3, 4}},
		"it begins as failing":               {1, 1, "---", nil},
		"unset thresholds are those of once": {0, 0, "+-", []int{0, 1}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			asked := 0
			var got []int
			p := &probe{spec: &corev1.Probe{PeriodSeconds: 1, SuccessThreshold: c.success, FailureThreshold: c.failure}}
			p.pause = func(context.Context, time.Duration) bool { return asked < len(c.answers) }
			p.check = func(context.Context) error {
				asked++
				if c.answers[asked-1] == '-' {
					return net.ErrClosed
				}
				return nil
			}
			p.watch(ctx, func(bool) { got = append(got, asked-1) })
			if len(got) != len(c.want) {
				t.Fatalf("the verdict changed at %v, want %v", got, c.want)
			}
			for i := range got {
				if got[i] != c.want[i] {
					t.Fatalf("the verdict changed at %v, want %v", got, c.want)
				}
			}
		})
	}
}
