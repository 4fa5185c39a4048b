package controllers_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/config"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
	"sigs.k8s.io/yaml"

	"github.com/tanggap/tanggap/controllers"
	"github.com/tanggap/tanggap/test/controlplane"
)

// The control plane, the network between the operator and the ledgers, and an administrator: one for
// all tests, each of which has a namespace of its own.
var (
	plane   *controlplane.ControlPlane
	network *fabric
	admin   client.Client
)

const (
	operatorNamespace = "tanggap-system"
	image             = "example.org/tanggap:test"
	patience          = time.Minute
)

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	ctrl.SetLogger(logr.Discard())
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	fail := func(err error) int {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	var err error
	// The proxy must be known before anything asks for it, as Go reads the environment once.
	if network, err = startFabric(ctx); err != nil {
		return fail(err)
	}
	if plane, err = controlplane.Start(ctx, controlplane.Options{CRDDirs: []string{"../config/crd/bases"}}); err != nil {
		return fail(err)
	}
	defer func() {
		if err := plane.Stop(); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
	}()
	scheme, err := controllers.Scheme()
	if err != nil {
		return fail(err)
	}
	if admin, err = client.New(plane.Config(), client.Options{Scheme: scheme}); err != nil {
		return fail(err)
	}
	if err := installOperator(ctx); err != nil {
		return fail(err)
	}
	return m.Run()
}

// installOperator makes the operator's service account with just the rights that are shipped.
func installOperator(ctx context.Context) error {
	objects := []client.Object{
		&corev1.Namespace{},
		&corev1.ServiceAccount{},
		&rbacv1.ClusterRoleBinding{
			RoleRef:  rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "tanggap-operator"},
			Subjects: []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: operatorNamespace, Name: "tanggap-operator"}},
		},
	}
	objects[0].SetName(operatorNamespace)
	objects[1].SetNamespace(operatorNamespace)
	objects[1].SetName("tanggap-operator")
	objects[2].SetName("tanggap-operator")
	for _, file := range []string{"role.yaml", "ledger_role.yaml"} {
		content, err := os.ReadFile(filepath.Join("..", "config", "rbac", file))
		if err != nil {
			return err
		}
		role := &rbacv1.ClusterRole{}
		if err := yaml.Unmarshal(content, role); err != nil {
			return err
		}
		objects = append(objects, role)
	}
	for _, object := range objects {
		if err := admin.Create(ctx, object); err != nil {
			return fmt.Errorf("installing the operator: %w", err)
		}
	}
	return nil
}

// fabric stands for the cluster's network: a proxy that leads the names of Services to listeners of
// this process.
type fabric struct {
	mu     sync.Mutex
	routes map[string]string
}

func startFabric(ctx context.Context) (*fabric, error) {
	f := &fabric{routes: map[string]string{}}
	var listen net.ListenConfig
	listener, err := listen.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	server := &http.Server{Handler: f, ReadHeaderTimeout: time.Minute}
	context.AfterFunc(ctx, func() { _ = server.Close() })
	go func() { _ = server.Serve(listener) }()
	for _, name := range []string{"HTTPS_PROXY", "https_proxy"} {
		if err := os.Setenv(name, "http://"+listener.Addr().String()); err != nil {
			return nil, err
		}
	}
	return f, os.Setenv("NO_PROXY", "")
}

// lead has host:port reach an address; "" is nowhere.
func (f *fabric) lead(host, address string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.routes[host] = address
}

func (f *fabric) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	address := f.routes[r.Host]
	f.mu.Unlock()
	var dialer net.Dialer
	there, err := dialer.DialContext(r.Context(), "tcp", address)
	if err != nil || r.Method != http.MethodConnect {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	defer there.Close()
	here, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer here.Close()
	_, _ = io.WriteString(here, "HTTP/1.1 200 OK\r\n\r\n")
	done := make(chan struct{}, 2)
	pipe := func(to io.Writer, from io.Reader) { _, _ = io.Copy(to, from); done <- struct{}{} }
	go pipe(there, bufio.NewReader(buffered))
	go pipe(here, there)
	<-done
}

// requests counts what the operator asks of the API server.
type requests struct {
	next http.RoundTripper

	mu     sync.Mutex
	writes []string
	reads  map[string]int
	// fault is the HTTP status that requests of a method and a path are answered with instead; failed counts them.
	fault  map[string]int
	failed int
}

// fail has the API server fail requests of a method and a path with an HTTP status; 0 ends it.
func (r *requests) fail(request string, status int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.fault = map[string]int{request: status}
	r.failed = 0
}

// failures is how many requests have failed since.
func (r *requests) failures() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.failed
}

// RoundTrip implements http.RoundTripper.
func (r *requests) RoundTrip(request *http.Request) (*http.Response, error) {
	r.mu.Lock()
	if request.Method == http.MethodGet {
		r.reads[kindOfRead(request)]++
	} else {
		r.writes = append(r.writes, request.Method+" "+request.URL.Path)
	}
	status := r.fault[request.Method+" "+request.URL.Path]
	if status != 0 {
		r.failed++
	}
	r.mu.Unlock()
	if status != 0 {
		return &http.Response{
			StatusCode: status, Header: http.Header{"Content-Type": {"application/json"}}, Request: request,
			Body: io.NopCloser(strings.NewReader(fmt.Sprintf(`{"kind":"Status","apiVersion":"v1","status":"Failure","code":%d,"reason":%q,"message":"injected"}`,
				status, map[int]string{http.StatusForbidden: "Forbidden", http.StatusInternalServerError: "InternalError"}[status]))),
		}, nil
	}
	return r.next.RoundTrip(request)
}

// kindOfRead is the kind of object that is read, and how: "get secrets", "list pods".
func kindOfRead(request *http.Request) string {
	parts := strings.Split(strings.Trim(request.URL.Path, "/"), "/")
	if i := slices.Index(parts, "namespaces"); i >= 0 && len(parts) > i+2 {
		parts = parts[i+2:]
		if len(parts) > 1 {
			return "get " + parts[0]
		}
	}
	if request.URL.Query().Get("watch") != "" {
		return "watch " + parts[len(parts)-1]
	}
	return "list " + parts[len(parts)-1]
}

func (r *requests) written() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.writes)
}

func (r *requests) read(kind string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.reads[kind]
}

// clock is the operator's clock, which a test can set forward.
type clock struct {
	mu    sync.Mutex
	ahead time.Duration
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.ahead)
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ahead += d
}

// operator is a running operator that looks after one namespace.
type operator struct {
	requests *requests
	metrics  *prometheus.Registry
	clock    *clock
	stop     func()
}

// operate runs the operator with its shipped rights, and nothing else, until the test ends.
func operate(t *testing.T, namespace string) *operator {
	t.Helper()
	return operateOn(t, namespace, image)
}

// operateOn does so for an operator whose workers and ledgers run an image.
func operateOn(t *testing.T, namespace, image string) *operator {
	t.Helper()
	kubeconfig := filepath.Join(t.TempDir(), "kubeconfig")
	if err := plane.WriteServiceAccountKubeconfig(t.Context(), operatorNamespace, "tanggap-operator", kubeconfig, time.Hour); err != nil {
		t.Fatal(err)
	}
	restConfig, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	o := &operator{
		requests: &requests{reads: map[string]int{}}, metrics: prometheus.NewPedanticRegistry(), clock: &clock{},
	}
	restConfig.QPS = -1
	restConfig.Wrap(func(next http.RoundTripper) http.RoundTripper { o.requests.next = next; return o.requests })
	mgr := o.manager(t, restConfig, namespace)
	ctx, cancel := context.WithCancel(t.Context())
	err = controllers.Setup(ctx, mgr, controllers.Options{
		Image: image, Namespace: operatorNamespace, WatchNamespaces: []string{namespace}, Metrics: o.metrics, Now: o.clock.now, After: time.After,
	})
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- mgr.Start(ctx) }()
	o.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("the operator ended with %v", err)
		}
	})
	t.Cleanup(o.stop)
	return o
}

func (o *operator) manager(t *testing.T, restConfig *rest.Config, namespace string) ctrl.Manager {
	t.Helper()
	scheme, err := controllers.Scheme()
	if err != nil {
		t.Fatal(err)
	}
	cache := controllers.CacheOptions([]string{namespace})
	cache.SyncPeriod = new(5 * time.Second) // hours in a cluster: what it brings must change nothing
	mgr, err := ctrl.NewManager(restConfig, ctrl.Options{
		Scheme:     scheme,
		Logger:     logr.Discard(),
		Cache:      cache,
		Metrics:    metricsserver.Options{BindAddress: "0"},
		Controller: config.Controller{SkipNameValidation: new(true)}, // tests run one after the other
	})
	if err != nil {
		t.Fatal(err)
	}
	return mgr
}

// city makes a namespace.
func city(t *testing.T, name string) string {
	t.Helper()
	namespace := &corev1.Namespace{}
	namespace.SetName(name)
	if err := admin.Create(t.Context(), namespace); err != nil {
		t.Fatal(err)
	}
	return name
}

// apply applies manifests as a person does.
func apply(t *testing.T, namespace, manifests string) {
	t.Helper()
	for document := range strings.SplitSeq(manifests, "\n---\n") {
		object := &unstructured.Unstructured{}
		if err := yaml.Unmarshal([]byte(document), &object.Object); err != nil {
			t.Fatal(err)
		}
		object.SetNamespace(namespace)
		err := admin.Apply(t.Context(), client.ApplyConfigurationFromUnstructured(object), client.FieldOwner("kubectl"), client.ForceOwnership)
		if err != nil {
			t.Fatalf("%s %s: %v", object.GetKind(), object.GetName(), err)
		}
	}
}

// get reads an object by its name.
func get[T client.Object](t *testing.T, namespace, name string, into T) T {
	t.Helper()
	if err := admin.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: name}, into); err != nil {
		t.Fatal(err)
	}
	return into
}

// exists says whether there is an object of that name.
func exists(t *testing.T, namespace, name string, object client.Object) bool {
	t.Helper()
	err := admin.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: name}, object)
	if client.IgnoreNotFound(err) != nil {
		t.Fatal(err)
	}
	return !apierrors.IsNotFound(err)
}

// eventually waits until a condition holds; it returns what is still wrong, "" when nothing is.
func eventually(t *testing.T, what string, wrong func() string) {
	t.Helper()
	deadline := time.After(patience)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		problem := wrong()
		if problem == "" {
			return
		}
		select {
		case <-deadline:
			t.Fatalf("%s: %s", what, problem)
		case <-t.Context().Done():
			t.Fatal(t.Context().Err())
		case <-tick.C:
		}
	}
}
