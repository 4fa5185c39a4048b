package localnode

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	corelisters "k8s.io/client-go/listers/core/v1"
)

// claimProtection is put on every claim by the API server and taken off when no Pod uses it.
const claimProtection = "kubernetes.io/pvc-protection"

// claims gives each PersistentVolumeClaim a folder. The folder outlives Pods, processes and the node;
// it goes when the claim is deleted.
type claims struct {
	dir    string
	client kubernetes.Interface
	lister corelisters.PersistentVolumeClaimLister
	pods   corelisters.PodLister

	mu      sync.Mutex
	mounted map[types.NamespacedName]types.UID
}

// mount returns the folder of an existing claim.
func (c *claims) mount(namespace, name string) (string, error) {
	claim, err := c.lister.PersistentVolumeClaims(namespace).Get(name)
	if err != nil {
		return "", fmt.Errorf("reading PersistentVolumeClaim %q: %w", name, err)
	}
	if claim.DeletionTimestamp != nil {
		return "", fmt.Errorf("PersistentVolumeClaim %q is being deleted", name)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	key := types.NamespacedName{Namespace: namespace, Name: name}
	folder := c.folder(key)
	// A new claim of an old name begins empty, also when the old one's end has not been seen yet.
	if before, known := c.mounted[key]; known && before != claim.UID {
		if err := os.RemoveAll(folder); err != nil {
			return "", fmt.Errorf("emptying the folder of a deleted claim: %w", err)
		}
	}
	if err := os.MkdirAll(folder, 0o777); err != nil {
		return "", fmt.Errorf("making the folder of a claim: %w", err)
	}
	c.mounted[key] = claim.UID
	return folder, nil
}

func (c *claims) folder(key types.NamespacedName) string {
	return filepath.Join(c.dir, key.Namespace+"_"+key.Name)
}

// reconcile binds a claim, and lets go of one that is to be deleted and that no Pod uses any more.
func (c *claims) reconcile(ctx context.Context, key types.NamespacedName) error {
	claim, err := c.client.CoreV1().PersistentVolumeClaims(key.Namespace).Get(ctx, key.Name, metav1.GetOptions{})
	if err != nil {
		return ignoreNotFound(err)
	}
	switch {
	case claim.DeletionTimestamp != nil:
		used, err := c.inUse(claim)
		if err != nil || used {
			return err
		}
		protected := len(claim.Finalizers)
		claim.Finalizers = slices.DeleteFunc(claim.Finalizers, func(f string) bool { return f == claimProtection })
		if len(claim.Finalizers) == protected {
			return nil
		}
		_, err = c.client.CoreV1().PersistentVolumeClaims(key.Namespace).Update(ctx, claim, metav1.UpdateOptions{})
		return ignoreNotFound(err)
	case claim.Status.Phase != corev1.ClaimBound:
		claim.Status.Phase = corev1.ClaimBound
		claim.Status.AccessModes = claim.Spec.AccessModes
		claim.Status.Capacity = claim.Spec.Resources.Requests
		_, err = c.client.CoreV1().PersistentVolumeClaims(key.Namespace).UpdateStatus(ctx, claim, metav1.UpdateOptions{})
		return ignoreNotFound(err)
	}
	return nil
}

func (c *claims) inUse(claim *corev1.PersistentVolumeClaim) (bool, error) {
	pods, err := c.pods.Pods(claim.Namespace).List(labels.Everything())
	if err != nil {
		return false, fmt.Errorf("listing the Pods of a claim: %w", err)
	}
	for _, pod := range pods {
		if slices.Contains(claimsOf(pod), claim.Name) {
			return true, nil
		}
	}
	return false, nil
}

// claimsOf names the claims that a Pod mounts.
func claimsOf(pod *corev1.Pod) []string {
	var names []string
	for _, volume := range pod.Spec.Volumes {
		if volume.PersistentVolumeClaim != nil {
			names = append(names, volume.PersistentVolumeClaim.ClaimName)
		}
	}
	return names
}

// forget removes the folder of a claim that is gone.
func (c *claims) forget(claim *corev1.PersistentVolumeClaim) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	key := types.NamespacedName{Namespace: claim.Namespace, Name: claim.Name}
	if mounted, known := c.mounted[key]; known && mounted != claim.UID {
		return nil // the folder is already a successor's
	}
	delete(c.mounted, key)
	if err := os.RemoveAll(c.folder(key)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("removing the folder of a claim: %w", err)
	}
	return nil
}

func ignoreNotFound(err error) error {
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}
