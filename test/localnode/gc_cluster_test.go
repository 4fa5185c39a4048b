package localnode_test

import (
	"errors"
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
)

var bells = schema.GroupVersionResource{Group: "test.tanggap.dev", Version: "v1", Resource: "bells"}

func (s *space) dynamic() dynamic.NamespaceableResourceInterface {
	s.t.Helper()
	client, err := dynamic.NewForConfig(s.plane.Config())
	s.check(err)
	return client.Resource(bells)
}

// bell makes a custom resource, as an operator's user would, and its owner reference.
func (s *space) bell(name string) metav1.OwnerReference {
	s.t.Helper()
	made, err := s.dynamic().Namespace(s.name).Create(s.t.Context(), &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "test.tanggap.dev/v1", "kind": "Bell", "metadata": map[string]any{"name": name},
	}}, metav1.CreateOptions{})
	s.check(err)
	return *metav1.NewControllerRef(made, bells.GroupVersion().WithKind("Bell"))
}

// own makes one object of every kind that Tanggap makes, owned by the reference, and returns what looks
// each of them up.
func (s *space) own(name string, owner metav1.OwnerReference) map[string]func() error {
	s.t.Helper()
	ctx, c := s.t.Context(), s.client
	m := metav1.ObjectMeta{Name: name, OwnerReferences: []metav1.OwnerReference{owner}}
	d, set := deployment(name, 1), statefulSet(name, 1)
	d.OwnerReferences, set.OwnerReferences = m.OwnerReferences, m.OwnerReferences
	web := service(name, false)
	web.OwnerReferences = m.OwnerReferences
	made := map[string]error{}
	_, made["Deployment"] = c.AppsV1().Deployments(s.name).Create(ctx, d, metav1.CreateOptions{})
	_, made["StatefulSet"] = c.AppsV1().StatefulSets(s.name).Create(ctx, set, metav1.CreateOptions{})
	_, made["Service"] = c.CoreV1().Services(s.name).Create(ctx, web, metav1.CreateOptions{})
	_, made["ServiceAccount"] = c.CoreV1().ServiceAccounts(s.name).Create(ctx, &corev1.ServiceAccount{ObjectMeta: m}, metav1.CreateOptions{})
	_, made["ConfigMap"] = c.CoreV1().ConfigMaps(s.name).Create(ctx, &corev1.ConfigMap{ObjectMeta: m}, metav1.CreateOptions{})
	_, made["Secret"] = c.CoreV1().Secrets(s.name).Create(ctx, &corev1.Secret{ObjectMeta: m}, metav1.CreateOptions{})
	_, made["NetworkPolicy"] = c.NetworkingV1().NetworkPolicies(s.name).Create(ctx, &networkingv1.NetworkPolicy{ObjectMeta: m}, metav1.CreateOptions{})
	_, made["PodDisruptionBudget"] = c.PolicyV1().PodDisruptionBudgets(s.name).Create(ctx, &policyv1.PodDisruptionBudget{ObjectMeta: m}, metav1.CreateOptions{})
	_, made["Role"] = c.RbacV1().Roles(s.name).Create(ctx, &rbacv1.Role{ObjectMeta: m}, metav1.CreateOptions{})
	_, made["RoleBinding"] = c.RbacV1().RoleBindings(s.name).Create(ctx, &rbacv1.RoleBinding{
		ObjectMeta: m, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: name},
	}, metav1.CreateOptions{})
	for kind, err := range made {
		if err != nil {
			s.t.Fatalf("making the %s: %v", kind, err)
		}
	}
	get := metav1.GetOptions{}
	return map[string]func() error{
		"Deployment":          func() error { _, err := c.AppsV1().Deployments(s.name).Get(ctx, name, get); return err },
		"StatefulSet":         func() error { _, err := c.AppsV1().StatefulSets(s.name).Get(ctx, name, get); return err },
		"Service":             func() error { _, err := c.CoreV1().Services(s.name).Get(ctx, name, get); return err },
		"ServiceAccount":      func() error { _, err := c.CoreV1().ServiceAccounts(s.name).Get(ctx, name, get); return err },
		"ConfigMap":           func() error { _, err := c.CoreV1().ConfigMaps(s.name).Get(ctx, name, get); return err },
		"Secret":              func() error { _, err := c.CoreV1().Secrets(s.name).Get(ctx, name, get); return err },
		"NetworkPolicy":       func() error { _, err := c.NetworkingV1().NetworkPolicies(s.name).Get(ctx, name, get); return err },
		"PodDisruptionBudget": func() error { _, err := c.PolicyV1().PodDisruptionBudgets(s.name).Get(ctx, name, get); return err },
		"Role":                func() error { _, err := c.RbacV1().Roles(s.name).Get(ctx, name, get); return err },
		"RoleBinding":         func() error { _, err := c.RbacV1().RoleBindings(s.name).Get(ctx, name, get); return err },
	}
}

func eventuallyGone(t *testing.T, lookups map[string]func() error) {
	t.Helper()
	for kind, lookup := range lookups {
		eventually(t, "the end of the "+kind, func() error {
			if err := lookup(); !apierrors.IsNotFound(err) {
				return fmt.Errorf("it is still there (%w)", err)
			}
			return nil
		})
	}
}

func TestWhatAnObjectOwnedGoesWithIt(t *testing.T) {
	s := newSpace(t)
	gone := s.own("gone", s.bell("gone"))
	kept := s.own("kept", s.bell("kept"))
	s.rolledOut("gone")
	s.setReady("gone")
	var pids []int
	for _, pod := range s.livePods("gone") {
		pids = append(pids, s.pid(pod.Name))
	}
	if len(pids) != 2 {
		t.Fatalf("%d processes run, want that of the Deployment and that of the StatefulSet", len(pids))
	}
	s.check(s.dynamic().Namespace(s.name).Delete(t.Context(), "gone", metav1.DeleteOptions{}))
	eventuallyGone(t, gone)
	eventually(t, "the end of the processes", func() error { return errors.Join(isGone(pids[0]), isGone(pids[1])) })
	eventually(t, "the end of the Pods", func() error {
		if left := s.pods("gone"); len(left) != 0 {
			return fmt.Errorf("%d are left", len(left))
		}
		return nil
	})
	for kind, lookup := range kept {
		if err := lookup(); err != nil {
			t.Errorf("the other's %s: %v", kind, err)
		}
	}
}

func TestOwnerMadeAgainUnderItsNameOwnsNothing(t *testing.T) {
	s := newSpace(t)
	reference := s.bell("bell")
	s.check(s.dynamic().Namespace(s.name).Delete(t.Context(), "bell", metav1.DeleteOptions{}))
	s.bell("bell")
	_, err := s.client.CoreV1().ConfigMaps(s.name).Create(t.Context(), &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Name: "late", OwnerReferences: []metav1.OwnerReference{reference}},
	}, metav1.CreateOptions{})
	s.check(err)
	eventuallyGone(t, map[string]func() error{"ConfigMap": func() error {
		_, err := s.client.CoreV1().ConfigMaps(s.name).Get(t.Context(), "late", metav1.GetOptions{})
		return err
	}})
}

func TestForegroundDeletionWaitsForWhatIsOwned(t *testing.T) {
	s := newSpace(t)
	owned := s.own("bell", s.bell("bell"))
	s.bell("lonely")
	s.rolledOut("bell")
	foreground := metav1.DeletePropagationForeground
	for _, name := range []string{"bell", "lonely"} {
		s.check(s.dynamic().Namespace(s.name).Delete(t.Context(), name, metav1.DeleteOptions{PropagationPolicy: &foreground}))
		eventually(t, "the end of "+name, func() error {
			if _, err := s.dynamic().Namespace(s.name).Get(t.Context(), name, metav1.GetOptions{}); !apierrors.IsNotFound(err) {
				return fmt.Errorf("it is still there (%w)", err)
			}
			return nil
		})
	}
	for kind, lookup := range owned {
		if err := lookup(); !apierrors.IsNotFound(err) {
			t.Errorf("the owner went before its %s (%v)", kind, err)
		}
	}
}
