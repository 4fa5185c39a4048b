package localnode_test

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/tanggap/tanggap/test/localnode"
)

func TestServiceNameReachesEveryReadyPod(t *testing.T) {
	s := newSpace(t)
	s.createService(service("web", false))
	s.deploy(deployment("web", 2))
	pods := s.rolledOut("web")
	want := map[string]bool{pods[0].Name: true, pods[1].Name: true}
	client := throughProxy(s.node)
	for _, suffix := range []string{".svc", ".svc.cluster.local", ".svc:80", ".svc.cluster.local.:80"} {
		got := map[string]bool{}
		for range 2 {
			name, err := read(client.Get("http://web." + s.name + suffix + "/env?name=HOSTNAME"))
			s.check(err)
			got[name] = true
		}
		if len(got) != 2 || !want[pods[0].Name] || !got[pods[1].Name] {
			t.Errorf("web%s leads to %v, want both of %v in turn", suffix, got, want)
		}
	}
	// A Pod reaches it with an ordinary client.
	body, err := ask(pods[0], query("/get", map[string]string{"url": s.serviceURL("web", "/env?name=POD_IP")}))
	if err != nil || !strings.HasPrefix(body, "200 127.77.") {
		t.Errorf("inside a Pod the Service answered %q (%v)", body, err)
	}
	connection, err := s.node.DialContext(t.Context(), "tcp", "web."+s.name+".svc:80")
	s.check(err)
	s.check(connection.Close())
}

func TestConnectTunnels(t *testing.T) {
	s := newSpace(t)
	s.createService(service("web", false))
	s.deploy(deployment("web", 1))
	pod := s.rolledOut("web")[0]
	connection, status := s.connect("web." + s.name + ".svc:80")
	if status != http.StatusOK {
		t.Fatalf("CONNECT gave %d", status)
	}
	_, err := io.WriteString(connection, "GET /env?name=HOSTNAME HTTP/1.0\r\n\r\n")
	s.check(err)
	response, err := http.ReadResponse(bufio.NewReader(connection), nil)
	if body, err := read(response, err); err != nil || body != pod.Name {
		t.Errorf("the tunnel leads to %q (%v)", body, err)
	}
}

// connect asks the proxy for a tunnel.
func (s *space) connect(target string) (net.Conn, int) {
	s.t.Helper()
	connection, err := net.Dial("tcp", s.node.ProxyURL().Host)
	s.check(err)
	s.t.Cleanup(func() { _ = connection.Close() })
	_, err = io.WriteString(connection, "CONNECT "+target+" HTTP/1.1\r\nHost: "+target+"\r\n\r\n")
	s.check(err)
	response, err := http.ReadResponse(bufio.NewReader(connection), &http.Request{Method: http.MethodConnect})
	s.check(err)
	return connection, response.StatusCode
}

func TestProxyRefuses(t *testing.T) {
	s := newSpace(t)
	empty := service("empty", false)
	s.createService(empty)
	outside := httptest.NewServer(http.NotFoundHandler())
	defer outside.Close()
	cases := map[string]struct {
		hostport string
		status   int
		err      error
	}{
		"a host of the Internet":            {"example.com:80", http.StatusForbidden, localnode.ErrForbiddenHost},
		"an address of the Internet":        {"192.0.2.1:80", http.StatusForbidden, localnode.ErrForbiddenHost},
		"an address of a private network":   {"10.96.0.1:443", http.StatusForbidden, localnode.ErrForbiddenHost},
		"every address of this machine":     {"0.0.0.0:80", http.StatusForbidden, localnode.ErrForbiddenHost},
		"a name that only looks like one":   {"web.city.svc.example.com:80", http.StatusForbidden, localnode.ErrForbiddenHost},
		"a name without its namespace":      {"web:80", http.StatusForbidden, localnode.ErrForbiddenHost},
		"a Service that does not exist":     {"nobody." + s.name + ".svc:80", http.StatusServiceUnavailable, localnode.ErrNoEndpoint},
		"a Service without a ready Pod":     {"empty." + s.name + ".svc:80", http.StatusServiceUnavailable, localnode.ErrNoEndpoint},
		"a Pod's name below a cluster IP":   {"empty-0.empty." + s.name + ".svc:80", http.StatusServiceUnavailable, localnode.ErrNoEndpoint},
		"a loopback port with nobody there": {"127.77.255.254:1", http.StatusBadGateway, nil},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			response, err := throughProxy(s.node).Get("http://" + c.hostport + "/")
			if err != nil {
				t.Fatal(err)
			}
			_ = response.Body.Close()
			if response.StatusCode != c.status {
				t.Errorf("GET gave %d, want %d", response.StatusCode, c.status)
			}
			if _, status := s.connect(c.hostport); status != c.status {
				t.Errorf("CONNECT gave %d, want %d", status, c.status)
			}
			if _, err := s.node.DialContext(t.Context(), "tcp", c.hostport); err == nil || c.err != nil && !errors.Is(err, c.err) {
				t.Errorf("dialling gave %v, want %v", err, c.err)
			}
		})
	}
	t.Run("a request that is none for a proxy", func(t *testing.T) {
		response, err := http.Get(s.node.ProxyURL().String() + "/")
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		if response.StatusCode != http.StatusBadRequest {
			t.Errorf("status %d", response.StatusCode)
		}
	})
	t.Run("but not the loopback network", func(t *testing.T) {
		response, err := throughProxy(s.node).Get(strings.Replace(outside.URL, "127.0.0.1", "localhost", 1))
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		if response.StatusCode != http.StatusNotFound {
			t.Errorf("status %d", response.StatusCode)
		}
	})
}

func TestForwardedRequestArrivesAsItWasSent(t *testing.T) {
	s := newSpace(t)
	var got *http.Request
	var body []byte
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		got = r
		body, _ = io.ReadAll(r.Body)
	}))
	defer server.Close()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+"/hooks/x?a=1;b=%zz", strings.NewReader("the raw body"))
	s.check(err)
	request.Header.Set("X-Forwarded-For", "203.0.113.9")
	request.Header.Set("X-Hub-Signature-256", "sha256=0")
	_, err = read(throughProxy(s.node).Do(request))
	s.check(err)
	if got.Host != server.Listener.Addr().String() || got.RequestURI != "/hooks/x?a=1;b=%zz" || string(body) != "the raw body" {
		t.Errorf("host %q, URI %q, body %q", got.Host, got.RequestURI, body)
	}
	if from := got.Header.Values("X-Forwarded-For"); len(from) != 1 || from[0] != "203.0.113.9" {
		t.Errorf("X-Forwarded-For is %q", from)
	}
	if got.Header.Get("X-Hub-Signature-256") != "sha256=0" {
		t.Errorf("headers %v", got.Header)
	}
}
