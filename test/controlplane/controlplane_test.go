package controlplane_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/go-logr/logr"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/tanggap/tanggap/test/controlplane"
)

const crd = `apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: bells.test.tanggap.dev}
spec:
  group: test.tanggap.dev
  scope: Namespaced
  names: {kind: Bell, plural: bells, singular: bell, listKind: BellList}
  versions:
    - name: v1
      served: true
      storage: true
      schema: {openAPIV3Schema: {type: object}}
`

func TestMain(m *testing.M) {
	ctrllog.SetLogger(logr.Discard())
	if os.Getenv(holdEnv) != "" {
		hold()
	}
	os.Exit(m.Run())
}

func TestControlPlane(t *testing.T) {
	crds := t.TempDir()
	if err := os.WriteFile(filepath.Join(crds, "bells.yaml"), []byte(crd), 0o600); err != nil {
		t.Fatal(err)
	}
	plane, err := controlplane.Start(t.Context(), controlplane.Options{CRDDirs: []string{crds}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := plane.Stop(); err != nil {
			t.Errorf("stopping: %v", err)
		}
		if _, err := os.Stat(plane.KubeconfigPath()); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the admin's kubeconfig outlives the control plane: %v", err)
		}
	})
	admin, err := kubernetes.NewForConfig(plane.Config())
	if err != nil {
		t.Fatal(err)
	}

	t.Run("the admin's kubeconfig works and is private", func(t *testing.T) {
		info, err := os.Stat(plane.KubeconfigPath())
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o600 {
			t.Errorf("mode is %v, want 0600", info.Mode().Perm())
		}
		if _, err := clientFor(t, plane.KubeconfigPath()).CoreV1().Namespaces().List(t.Context(), metav1.ListOptions{}); err != nil {
			t.Error(err)
		}
	})

	t.Run("the custom resources are served", func(t *testing.T) {
		resources, err := admin.Discovery().ServerResourcesForGroupVersion("test.tanggap.dev/v1")
		if err != nil {
			t.Fatal(err)
		}
		if len(resources.APIResources) == 0 || resources.APIResources[0].Kind != "Bell" {
			t.Errorf("got %+v, want the kind Bell", resources.APIResources)
		}
	})

	t.Run("a service account has its own rights and no more", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "kubeconfig")
		grantConfigMaps(t, admin, "ringer")
		if err := plane.WriteServiceAccountKubeconfig(t.Context(), "default", "ringer", path, time.Hour); err != nil {
			t.Fatal(err)
		}
		ringer := clientFor(t, path)
		if _, err := ringer.CoreV1().ConfigMaps("default").List(t.Context(), metav1.ListOptions{}); err != nil {
			t.Errorf("a granted read failed: %v", err)
		}
		if _, err := ringer.CoreV1().Secrets("default").List(t.Context(), metav1.ListOptions{}); !apierrors.IsForbidden(err) {
			t.Errorf("reading secrets gave %v, want Forbidden", err)
		}
	})

	t.Run("a token is good for its audience alone", func(t *testing.T) {
		createServiceAccount(t, admin, "writer")
		hour := int64(3600)
		token, err := admin.CoreV1().ServiceAccounts("default").CreateToken(t.Context(), "writer", &authenticationv1.TokenRequest{
			Spec: authenticationv1.TokenRequestSpec{Audiences: []string{"tanggap-ledger"}, ExpirationSeconds: &hour},
		}, metav1.CreateOptions{})
		if err != nil {
			t.Fatal(err)
		}
		for audience, want := range map[string]bool{"tanggap-ledger": true, "somebody-else": false} {
			review, err := admin.AuthenticationV1().TokenReviews().Create(t.Context(), &authenticationv1.TokenReview{
				Spec: authenticationv1.TokenReviewSpec{Token: token.Status.Token, Audiences: []string{audience}},
			}, metav1.CreateOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if review.Status.Authenticated != want {
				t.Errorf("audience %s: authenticated is %v, want %v", audience, review.Status.Authenticated, want)
			}
		}
	})
}

func TestStartRefusesWhatCannotWork(t *testing.T) {
	t.Run("a folder without the programs", func(t *testing.T) {
		if _, err := controlplane.Start(t.Context(), controlplane.Options{AssetsDir: t.TempDir()}); !errors.Is(err, controlplane.ErrNoAssets) {
			t.Errorf("got %v, want ErrNoAssets", err)
		}
	})
	t.Run("no folder at all", func(t *testing.T) {
		t.Setenv(controlplane.AssetsEnv, "")
		if _, err := controlplane.Start(t.Context(), controlplane.Options{}); !errors.Is(err, controlplane.ErrNoAssets) {
			t.Errorf("got %v, want ErrNoAssets", err)
		}
	})
	t.Run("a cancelled context", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := controlplane.Start(ctx, controlplane.Options{}); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want the context's error", err)
		}
	})
	t.Run("a missing folder of custom resources", func(t *testing.T) {
		_, err := controlplane.Start(t.Context(), controlplane.Options{CRDDirs: []string{filepath.Join(t.TempDir(), "none")}})
		if err == nil {
			t.Error("a missing folder was accepted")
		}
	})
}

func clientFor(t *testing.T, kubeconfig string) *kubernetes.Clientset {
	t.Helper()
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

func createServiceAccount(t *testing.T, admin *kubernetes.Clientset, name string) {
	t.Helper()
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: name}}
	if _, err := admin.CoreV1().ServiceAccounts("default").Create(t.Context(), account, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
}

func grantConfigMaps(t *testing.T, admin *kubernetes.Clientset, name string) {
	t.Helper()
	createServiceAccount(t, admin, name)
	role := &rbacv1.Role{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Rules:      []rbacv1.PolicyRule{{APIGroups: []string{""}, Resources: []string{"configmaps"}, Verbs: []string{"list"}}},
	}
	if _, err := admin.RbacV1().Roles("default").Create(t.Context(), role, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	binding := &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: name},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: "default", Name: name}},
	}
	if _, err := admin.RbacV1().RoleBindings("default").Create(t.Context(), binding, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
}
