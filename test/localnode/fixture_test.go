package localnode_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/tanggap/tanggap/test/localnode"
)

// deadline bounds every wait. It is long because the machine may be busy, and never reached when all is
// well.
const deadline = 60 * time.Second

// eventually waits until the condition holds.
func eventually(t *testing.T, what string, holds func() error) {
	t.Helper()
	expired := time.After(deadline)
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for {
		err := holds()
		if err == nil {
			return
		}
		select {
		case <-ticker.C:
		case <-expired:
			t.Fatalf("%s: %v", what, err)
		}
	}
}

// space is a namespace of a cluster for one test.
type space struct {
	*cluster
	t    *testing.T
	name string
}

func newSpace(t *testing.T) *space {
	t.Helper()
	shared.once.Do(shared.start)
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	return spaceOn(t, shared.cluster)
}

func spaceOn(t *testing.T, c *cluster) *space {
	t.Helper()
	namespace, err := c.client.CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{
		ObjectMeta: metav1.ObjectMeta{GenerateName: "city-"},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return &space{cluster: c, t: t, name: namespace.Name}
}

// template is a Pod that serves on the named port http and is asked there whether it is ready.
func template(app string, args ...string) corev1.PodTemplateSpec {
	return corev1.PodTemplateSpec{
		ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": app}},
		Spec: corev1.PodSpec{
			TerminationGracePeriodSeconds: new(int64(5)),
			Containers: []corev1.Container{{
				Name: "main", Image: image,
				Args:           append([]string{"--listen=$(POD_IP):8080"}, args...),
				Env:            []corev1.EnvVar{fieldVariable("POD_IP", "status.podIP")},
				Ports:          []corev1.ContainerPort{{Name: "http", ContainerPort: 8080}},
				ReadinessProbe: httpProbe(),
			}},
		},
	}
}

func httpProbe() *corev1.Probe {
	return &corev1.Probe{
		PeriodSeconds: 1, FailureThreshold: 1,
		ProbeHandler: corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Path: "/healthz", Port: intstr.FromString("http")}},
	}
}

func fieldVariable(name, path string) corev1.EnvVar {
	return corev1.EnvVar{Name: name, ValueFrom: &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{FieldPath: path}}}
}

func deployment(app string, replicas int32, args ...string) *appsv1.Deployment {
	return &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: app},
		Spec: appsv1.DeploymentSpec{
			Replicas: &replicas,
			Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": app}},
			Template: template(app, args...),
		},
	}
}

func statefulSet(app string, replicas int32, args ...string) *appsv1.StatefulSet {
	return &appsv1.StatefulSet{
		ObjectMeta: metav1.ObjectMeta{Name: app},
		Spec: appsv1.StatefulSetSpec{
			Replicas: &replicas, ServiceName: app,
			Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": app}},
			Template: template(app, args...),
			VolumeClaimTemplates: []corev1.PersistentVolumeClaim{{
				ObjectMeta: metav1.ObjectMeta{Name: "data"},
				Spec: corev1.PersistentVolumeClaimSpec{
					AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
					Resources:   corev1.VolumeResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceStorage: quantity("1Gi")}},
				},
			}},
		},
	}
}

func service(app string, headless bool) *corev1.Service {
	s := &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: app},
		Spec: corev1.ServiceSpec{
			Selector: map[string]string{"app": app},
			Ports:    []corev1.ServicePort{{Port: 80, TargetPort: intstr.FromString("http")}},
		},
	}
	if headless {
		s.Spec.ClusterIP = corev1.ClusterIPNone
	}
	return s
}

func quantity(text string) resource.Quantity { return resource.MustParse(text) }

func (s *space) deploy(d *appsv1.Deployment) {
	s.t.Helper()
	_, err := s.client.AppsV1().Deployments(s.name).Create(s.t.Context(), d, metav1.CreateOptions{})
	s.check(err)
}

func (s *space) createSet(set *appsv1.StatefulSet) {
	s.t.Helper()
	_, err := s.client.AppsV1().StatefulSets(s.name).Create(s.t.Context(), set, metav1.CreateOptions{})
	s.check(err)
}

func (s *space) createService(service *corev1.Service) {
	s.t.Helper()
	_, err := s.client.CoreV1().Services(s.name).Create(s.t.Context(), service, metav1.CreateOptions{})
	s.check(err)
}

func (s *space) createSecret(name string, data map[string]string) {
	s.t.Helper()
	_, err := s.client.CoreV1().Secrets(s.name).Create(s.t.Context(), &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: name}, StringData: data,
	}, metav1.CreateOptions{})
	s.check(err)
}

func (s *space) createConfigMap(name string, data map[string]string) *corev1.ConfigMap {
	s.t.Helper()
	made, err := s.client.CoreV1().ConfigMaps(s.name).Create(s.t.Context(), &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Name: name}, Data: data,
	}, metav1.CreateOptions{})
	s.check(err)
	return made
}

func (s *space) check(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// change alters a Deployment, again if somebody else did at the same time.
func (s *space) change(name string, alter func(d *appsv1.Deployment)) {
	s.t.Helper()
	eventually(s.t, "changing the Deployment", func() error {
		d, err := s.client.AppsV1().Deployments(s.name).Get(s.t.Context(), name, metav1.GetOptions{})
		s.check(err)
		alter(d)
		_, err = s.client.AppsV1().Deployments(s.name).Update(s.t.Context(), d, metav1.UpdateOptions{})
		if !apierrors.IsConflict(err) {
			s.check(err)
		}
		return err
	})
}

// rolledOut waits until a Deployment reports that all its replicas are of the newest template and ready,
// and returns their Pods.
func (s *space) rolledOut(name string) []corev1.Pod {
	s.t.Helper()
	eventually(s.t, "rolling out "+name, func() error {
		d, err := s.client.AppsV1().Deployments(s.name).Get(s.t.Context(), name, metav1.GetOptions{})
		s.check(err)
		want := *d.Spec.Replicas
		st := d.Status
		if st.ObservedGeneration != d.Generation || st.Replicas != want || st.UpdatedReplicas != want || st.ReadyReplicas != want || st.AvailableReplicas != want {
			return fmt.Errorf("status %+v, Pods %s", st, s.describe())
		}
		return nil
	})
	return s.livePods(name)
}

func (s *space) setReady(name string) {
	s.t.Helper()
	eventually(s.t, "rolling out "+name, func() error {
		set, err := s.client.AppsV1().StatefulSets(s.name).Get(s.t.Context(), name, metav1.GetOptions{})
		s.check(err)
		want, st := *set.Spec.Replicas, set.Status
		if st.ObservedGeneration != set.Generation || st.Replicas != want || st.ReadyReplicas != want || st.UpdatedReplicas != want || st.CurrentRevision != st.UpdateRevision {
			return fmt.Errorf("status %+v, Pods %s", st, s.describe())
		}
		return nil
	})
}

func (s *space) pods(app string) []corev1.Pod {
	s.t.Helper()
	list, err := s.client.CoreV1().Pods(s.name).List(s.t.Context(), metav1.ListOptions{LabelSelector: "app=" + app})
	s.check(err)
	return list.Items
}

func (s *space) livePods(app string) []corev1.Pod {
	s.t.Helper()
	var living []corev1.Pod
	for _, pod := range s.pods(app) {
		if pod.DeletionTimestamp == nil {
			living = append(living, pod)
		}
	}
	return living
}

// describe says what the Pods of the namespace are doing, for the message of a failed test.
func (s *space) describe() string {
	list, err := s.client.CoreV1().Pods(s.name).List(s.t.Context(), metav1.ListOptions{})
	if err != nil {
		return err.Error()
	}
	var words []string
	for _, pod := range list.Items {
		words = append(words, fmt.Sprintf("%s %s %+v", pod.Name, pod.Status.Phase, pod.Status.ContainerStatuses))
	}
	return strings.Join(words, "; ")
}

// ask sends a request to a Pod's address and returns the body.
func ask(pod corev1.Pod, path string) (string, error) {
	return read(http.Get("http://" + pod.Status.PodIP + ":8080" + path))
}

func read(response *http.Response, err error) (string, error) {
	if err != nil {
		return "", err
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return "", err
	}
	if response.StatusCode != http.StatusOK {
		return "", fmt.Errorf("status %d: %s", response.StatusCode, strings.TrimSpace(string(body)))
	}
	return string(body), nil
}

func (s *space) mustAsk(pod corev1.Pod, path string) string {
	s.t.Helper()
	body, err := ask(pod, path)
	if err != nil {
		s.t.Fatalf("asking %s for %s: %v", pod.Name, path, err)
	}
	return body
}

// throughProxy is a client that reaches Services as a Pod does.
func throughProxy(node *localnode.Node) *http.Client {
	return &http.Client{Transport: &http.Transport{Proxy: http.ProxyURL(node.ProxyURL())}, Timeout: 10 * time.Second}
}

func (s *space) serviceURL(app, path string) string {
	return "http://" + app + "." + s.name + ".svc" + path
}

func (s *space) pid(pod string) int {
	s.t.Helper()
	pid, err := s.node.PID(s.name, pod)
	s.check(err)
	return pid
}

// isGone says whether a process has ended: it does not exist, or it is a zombie that its new parent has
// not looked after yet.
func isGone(pid int) error {
	if err := syscall.Kill(pid, 0); errors.Is(err, syscall.ESRCH) {
		return nil
	}
	status, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil || strings.Contains(string(status), ") Z ") {
		return nil
	}
	return fmt.Errorf("process %d still runs", pid)
}

func query(path string, values map[string]string) string {
	v := url.Values{}
	for key, value := range values {
		v.Set(key, value)
	}
	return path + "?" + v.Encode()
}
