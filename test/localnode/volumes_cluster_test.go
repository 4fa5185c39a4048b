package localnode_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/google/go-cmp/cmp"
)

// mounted adds a volume to the first container.
func mounted(template *corev1.PodTemplateSpec, name, path string, source corev1.VolumeSource) {
	template.Spec.Volumes = append(template.Spec.Volumes, corev1.Volume{Name: name, VolumeSource: source})
	c := &template.Spec.Containers[0]
	c.VolumeMounts = append(c.VolumeMounts, corev1.VolumeMount{Name: name, MountPath: path})
}

func secretVolume(name string, items ...corev1.KeyToPath) corev1.VolumeSource {
	return corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: name, Items: items}}
}

func variable(name, value string) corev1.EnvVar { return corev1.EnvVar{Name: name, Value: value} }

// fileOf reads a file of a Pod by the environment variable that names it.
func (s *space) fileOf(pod corev1.Pod, variable string) (string, error) {
	path, err := ask(pod, query("/env", map[string]string{"name": variable}))
	if err != nil {
		return "", err
	}
	return ask(pod, query("/file", map[string]string{"path": path}))
}

func (s *space) eventuallyReads(pod corev1.Pod, variable, want string) {
	s.t.Helper()
	eventually(s.t, "reading "+variable, func() error {
		got, err := s.fileOf(pod, variable)
		if err == nil && got != want {
			err = fmt.Errorf("got %q, want %q", got, want)
		}
		return err
	})
}

func TestVolumesFollowTheirObjects(t *testing.T) {
	s := newSpace(t)
	s.createSecret("keys", map[string]string{"token": "one", "unused": "x"})
	s.createConfigMap("rules", map[string]string{"rules.yaml": "a: 1"})
	d := deployment("web", 1)
	mounted(&d.Spec.Template, "keys", "/etc/keys", secretVolume("keys", corev1.KeyToPath{Key: "token", Path: "deep/token"}))
	mounted(&d.Spec.Template, "rules", "/etc/rules", corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{LocalObjectReference: corev1.LocalObjectReference{Name: "rules"}}})
	mounted(&d.Spec.Template, "maybe", "/etc/maybe", corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: "later", Optional: new(true)}})
	c := &d.Spec.Template.Spec.Containers[0]
	c.Env = append(c.Env, variable("TOKEN", "/etc/keys/deep/token"), variable("RULES", "/etc/rules/rules.yaml"), variable("MAYBE", "/etc/maybe/x"))
	s.deploy(d)
	pod := s.rolledOut("web")[0]
	s.eventuallyReads(pod, "TOKEN", "one")
	s.eventuallyReads(pod, "RULES", "a: 1")
	if _, err := s.fileOf(pod, "MAYBE"); err == nil {
		t.Error("a file of a missing Secret is there")
	}

	_, err := s.client.CoreV1().Secrets(s.name).Update(t.Context(), &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: "keys"}, StringData: map[string]string{"token": "two"},
	}, metav1.UpdateOptions{})
	s.check(err)
	_, err = s.client.CoreV1().ConfigMaps(s.name).Update(t.Context(), &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Name: "rules"}, Data: map[string]string{"rules.yaml": "a: 2"},
	}, metav1.UpdateOptions{})
	s.check(err)
	s.createSecret("later", map[string]string{"x": "here"})
	s.eventuallyReads(pod, "TOKEN", "two")
	s.eventuallyReads(pod, "RULES", "a: 2")
	s.eventuallyReads(pod, "MAYBE", "here")
	if after := s.livePods("web")[0]; after.Name != pod.Name || after.Status.ContainerStatuses[0].RestartCount != 0 {
		t.Error("the Pod was restarted for it")
	}
}

func TestPodWaitsForWhatItNeeds(t *testing.T) {
	s := newSpace(t)
	d := deployment("web", 1)
	mounted(&d.Spec.Template, "keys", "/etc/keys", secretVolume("keys"))
	c := &d.Spec.Template.Spec.Containers[0]
	c.Env = append(c.Env, corev1.EnvVar{Name: "COLOUR", ValueFrom: &corev1.EnvVarSource{ConfigMapKeyRef: &corev1.ConfigMapKeySelector{
		LocalObjectReference: corev1.LocalObjectReference{Name: "paint"}, Key: "colour",
	}}})
	s.deploy(d)
	s.eventuallyWaits("web", "ContainerCreating", `Secret "keys"`)
	s.createSecret("keys", map[string]string{"a": "b"})
	s.eventuallyWaits("web", "CreateContainerConfigError", `ConfigMap "paint"`)
	s.createConfigMap("paint", map[string]string{"colour": "green"})
	pod := s.rolledOut("web")[0]
	if got := s.mustAsk(pod, "/env?name=COLOUR"); got != "green" {
		t.Errorf("got %q", got)
	}
}

func TestUnknownImageIsReported(t *testing.T) {
	s := newSpace(t)
	d := deployment("web", 1)
	d.Spec.Template.Spec.Containers[0].Image = "nobody/knows:1"
	s.deploy(d)
	s.eventuallyWaits("web", "CreateContainerConfigError", "nobody/knows:1")
}

func (s *space) eventuallyWaits(app, reason, message string) {
	s.t.Helper()
	eventually(s.t, "the reason in the Pod's status", func() error {
		for _, pod := range s.pods(app) {
			for _, c := range pod.Status.ContainerStatuses {
				if w := c.State.Waiting; w != nil && w.Reason == reason && strings.Contains(w.Message, message) && pod.Status.Phase == corev1.PodPending {
					return nil
				}
			}
		}
		return fmt.Errorf("want %s with %s: %s", reason, message, s.describe())
	})
}

func TestEnvironmentAndArguments(t *testing.T) {
	s := newSpace(t)
	s.createSecret("keys", map[string]string{"password": "geheim"})
	s.createConfigMap("settings", map[string]string{"LEVEL": "debug"})
	d := deployment("web", 1)
	d.Spec.Template.Spec.ServiceAccountName = "default"
	mounted(&d.Spec.Template, "scratch", "/scratch", corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}})
	mounted(&d.Spec.Template, "tmp", "/tmp", corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}})
	c := &d.Spec.Template.Spec.Containers[0]
	c.Command = []string{"/" + filepath.Base(os.Args[0])} // the image's program, by its path in the image
	c.EnvFrom = []corev1.EnvFromSource{{Prefix: "SET_", ConfigMapRef: &corev1.ConfigMapEnvSource{LocalObjectReference: corev1.LocalObjectReference{Name: "settings"}}}}
	c.Env = append(c.Env,
		corev1.EnvVar{Name: "PASSWORD", ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{
			LocalObjectReference: corev1.LocalObjectReference{Name: "keys"}, Key: "password",
		}}},
		fieldVariable("POD_NAME", "metadata.name"), fieldVariable("POD_NAMESPACE", "metadata.namespace"), fieldVariable("POD_UID", "metadata.uid"),
		fieldVariable("ACCOUNT", "spec.serviceAccountName"), fieldVariable("APP", "metadata.labels['app']"), fieldVariable("NODE_IP", "status.hostIP"),
		corev1.EnvVar{Name: "GOMEMLIMIT", ValueFrom: &corev1.EnvVarSource{ResourceFieldRef: &corev1.ResourceFieldSelector{Resource: "limits.memory"}}},
		variable("DSN", "postgres://me:$(PASSWORD)@db/$(NOTHING)$$(X)"), variable("DIR", "/scratch"), variable("FILE", "$(DIR)/file"),
	)
	c.Resources.Limits = corev1.ResourceList{corev1.ResourceMemory: quantity("64Mi")}
	c.Args = append(c.Args, "--", "--dir=/scratch/a", "$(POD_NAME)")
	s.deploy(d)
	pod := s.rolledOut("web")[0]

	scratch := s.mustAsk(pod, "/env?name=DIR")
	if !strings.HasPrefix(scratch, s.stateDir+"/") {
		t.Errorf("/scratch became %q", scratch)
	}
	want := map[string]string{
		"PASSWORD": "geheim", "POD_NAME": pod.Name, "POD_NAMESPACE": s.name, "POD_UID": string(pod.UID), "POD_IP": pod.Status.PodIP,
		"ACCOUNT": "default", "APP": "web", "NODE_IP": pod.Status.HostIP, "GOMEMLIMIT": "67108864", "SET_LEVEL": "debug",
		"DSN": "postgres://me:geheim@db/$(NOTHING)$(X)", "FILE": scratch + "/file", "HTTPS_PROXY": s.node.ProxyURL().String(),
		"no_proxy": "127.0.0.1,localhost,127.0.0.0/8",
	}
	got := map[string]string{}
	for name := range want {
		got[name] = s.mustAsk(pod, "/env?name="+name)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("environment (-want +got):\n%s", diff)
	}
	var args []string
	s.check(json.Unmarshal([]byte(s.mustAsk(pod, "/args")), &args))
	if diff := cmp.Diff([]string{"--listen=" + pod.Status.PodIP + ":8080", "--", "--dir=" + scratch + "/a", pod.Name}, args); diff != "" {
		t.Errorf("arguments (-want +got):\n%s", diff)
	}
	for _, name := range []string{"HOME", "TMPDIR"} {
		if value := s.mustAsk(pod, "/env?name="+name); !strings.HasPrefix(value, filepath.Join(s.stateDir, "pods")) {
			t.Errorf("%s is %q, outside the Pod", name, value)
		}
	}
}

func TestInitContainersRunFirst(t *testing.T) {
	s := newSpace(t)
	d := deployment("web", 1)
	mounted(&d.Spec.Template, "scratch", "/scratch", corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}})
	spec := &d.Spec.Template.Spec
	spec.InitContainers = []corev1.Container{{
		Name: "prepare", Image: image, Args: []string{"--write=/scratch/file"}, VolumeMounts: spec.Containers[0].VolumeMounts,
	}}
	spec.Containers[0].Env = append(spec.Containers[0].Env, variable("FILE", "/scratch/file"))
	s.deploy(d)
	pod := s.rolledOut("web")[0]
	s.eventuallyReads(pod, "FILE", "written")
}

func TestProjectedTokenIsGoodForItsAudience(t *testing.T) {
	s := newSpace(t)
	_, err := s.client.CoreV1().ServiceAccounts(s.name).Create(t.Context(), &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: "writer"}}, metav1.CreateOptions{})
	s.check(err)
	d := deployment("web", 1)
	d.Spec.Template.Spec.ServiceAccountName = "writer"
	d.Spec.Template.Spec.AutomountServiceAccountToken = new(false)
	mounted(&d.Spec.Template, "ledger", "/var/run/ledger", corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{Sources: []corev1.VolumeProjection{
		{ServiceAccountToken: &corev1.ServiceAccountTokenProjection{Audience: "tanggap-ledger", ExpirationSeconds: new(int64(600)), Path: "token"}},
		{DownwardAPI: &corev1.DownwardAPIProjection{Items: []corev1.DownwardAPIVolumeFile{{Path: "labels", FieldRef: &corev1.ObjectFieldSelector{FieldPath: "metadata.labels"}}}}},
	}}})
	c := &d.Spec.Template.Spec.Containers[0]
	c.Env = append(c.Env, variable("TOKEN", "/var/run/ledger/token"), variable("LABELS", "/var/run/ledger/labels"))
	s.deploy(d)
	pod := s.rolledOut("web")[0]
	token, err := s.fileOf(pod, "TOKEN")
	s.check(err)
	review := s.review(token, "tanggap-ledger")
	if !review.Authenticated || review.User.Username != "system:serviceaccount:"+s.name+":writer" {
		t.Errorf("the token is not the account's: %+v", review)
	}
	if pods := review.User.Extra["authentication.kubernetes.io/pod-name"]; len(pods) != 1 || pods[0] != pod.Name {
		t.Errorf("the token is bound to %v, want %s", pods, pod.Name)
	}
	if s.review(token, "somebody-else").Authenticated {
		t.Error("the token is good for another audience")
	}
	if labels, err := s.fileOf(pod, "LABELS"); err != nil || !strings.Contains(labels, `app="web"`) {
		t.Errorf("labels are %q (%v)", labels, err)
	}
	if kubeconfig := s.mustAsk(pod, "/env?name=KUBECONFIG"); kubeconfig != "" {
		t.Errorf("a Pod that mounts no token has the kubeconfig %s", kubeconfig)
	}
	if body, err := ask(pod, "/whoami"); err == nil {
		t.Errorf("a Pod without a token is %s", body)
	}
}

func (s *space) review(token, audience string) authenticationv1.TokenReviewStatus {
	s.t.Helper()
	review, err := s.client.AuthenticationV1().TokenReviews().Create(s.t.Context(), &authenticationv1.TokenReview{
		Spec: authenticationv1.TokenReviewSpec{Token: token, Audiences: []string{audience}},
	}, metav1.CreateOptions{})
	s.check(err)
	return review.Status
}

func TestPodIsItsServiceAccount(t *testing.T) {
	s := newSpace(t)
	s.deploy(deployment("web", 1))
	pod := s.rolledOut("web")[0]
	if got, want := s.mustAsk(pod, "/whoami"), "system:serviceaccount:"+s.name+":default"; got != want {
		t.Errorf("the Pod is %q, want %q", got, want)
	}
}
