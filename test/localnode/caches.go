package localnode

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	corelisters "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/tools/cache"
)

// podResync is how often every Pod is looked at without an event.
const podResync = 10 * time.Second

// caches hold what the node reads all the time.
type caches struct {
	factory    informers.SharedInformerFactory
	pods       corelisters.PodLister
	services   corelisters.ServiceLister
	secrets    corelisters.SecretLister
	configMaps corelisters.ConfigMapLister
	claims     corelisters.PersistentVolumeClaimLister
	accounts   corelisters.ServiceAccountLister
}

func newCaches(client kubernetes.Interface) *caches {
	factory := informers.NewSharedInformerFactoryWithOptions(client, 0,
		informers.WithCustomResyncConfig(map[metav1.Object]time.Duration{&corev1.Pod{}: podResync}),
		informers.WithTransform(func(object any) (any, error) {
			if accessor, ok := object.(metav1.Object); ok {
				accessor.SetManagedFields(nil)
			}
			return object, nil
		}))
	core := factory.Core().V1()
	return &caches{
		factory: factory, pods: core.Pods().Lister(), services: core.Services().Lister(), secrets: core.Secrets().Lister(),
		configMaps: core.ConfigMaps().Lister(), claims: core.PersistentVolumeClaims().Lister(), accounts: core.ServiceAccounts().Lister(),
	}
}

func (c *caches) wait(ctx context.Context) error {
	for kind, synced := range c.factory.WaitForCacheSync(ctx.Done()) {
		if !synced {
			return errors.Join(fmt.Errorf("filling the cache of %s", kind), ctx.Err())
		}
	}
	return nil
}

// handleEvents connects the caches with those who act on changes.
func (n *Node) handleEvents(ctx context.Context) error {
	core, apps := n.caches.factory.Core().V1(), n.caches.factory.Apps().V1()
	inNamespace := func(object metav1.Object) { n.pods.objectsChanged(object.GetNamespace()) }
	enqueue := func(kind string) func(metav1.Object) {
		return func(object metav1.Object) {
			n.workloads.queue.Add(workload{kind, types.NamespacedName{Namespace: object.GetNamespace(), Name: object.GetName()}})
		}
	}
	ignore := func(metav1.Object) {}
	handlers := []struct {
		informer         cache.SharedIndexInformer
		changed, deleted func(metav1.Object)
	}{
		{core.Pods().Informer(), n.podChanged, n.podDeleted},
		{core.Secrets().Informer(), inNamespace, inNamespace},
		{core.ConfigMaps().Informer(), inNamespace, inNamespace},
		{core.ServiceAccounts().Informer(), inNamespace, ignore},
		{core.PersistentVolumeClaims().Informer(), func(object metav1.Object) {
			inNamespace(object)
			enqueue(kindClaim)(object)
		}, n.claimDeleted},
		{core.Services().Informer(), ignore, ignore},
		{core.Namespaces().Informer(), func(object metav1.Object) { n.ensureDefaultAccount(ctx, object.GetName()) }, ignore},
		{apps.Deployments().Informer(), enqueue(kindDeployment), ignore},
		{apps.StatefulSets().Informer(), enqueue(kindStatefulSet), ignore},
	}
	for _, h := range handlers {
		if _, err := h.informer.AddEventHandler(eventHandler(h.changed, h.deleted)); err != nil {
			return fmt.Errorf("watching: %w", err)
		}
	}
	return nil
}

func eventHandler(changed, deleted func(metav1.Object)) cache.ResourceEventHandler {
	call := func(f func(metav1.Object), object any) {
		if unknown, ok := object.(cache.DeletedFinalStateUnknown); ok {
			object = unknown.Obj
		}
		if accessor, ok := object.(metav1.Object); ok {
			f(accessor)
		}
	}
	return cache.ResourceEventHandlerFuncs{
		AddFunc:    func(object any) { call(changed, object) },
		UpdateFunc: func(_, object any) { call(changed, object) },
		DeleteFunc: func(object any) { call(deleted, object) },
	}
}

func (n *Node) podChanged(object metav1.Object) {
	if pod, ok := object.(*corev1.Pod); ok {
		n.pods.observe(pod)
		n.workloads.observePod(pod)
	}
}

func (n *Node) podDeleted(object metav1.Object) {
	if pod, ok := object.(*corev1.Pod); ok {
		n.pods.forget(pod.UID)
		n.workloads.observePod(pod)
	}
}

func (n *Node) claimDeleted(object metav1.Object) {
	if claim, ok := object.(*corev1.PersistentVolumeClaim); ok {
		if err := n.claims.forget(claim); err != nil {
			n.log.Warn("Failed to remove the folder of a claim", "namespace", claim.Namespace, "claim", claim.Name, "error", err)
		}
	}
}

// podsOf lists the node's Pods in a namespace; empty means all of them.
func (n *Node) podsOf(namespace string) ([]*corev1.Pod, error) {
	list, err := n.caches.pods.Pods(namespace).List(labels.Everything())
	if err != nil {
		return nil, err
	}
	pods := make([]*corev1.Pod, 0, len(list))
	for _, pod := range list {
		if pod.Spec.NodeName == n.options.Name {
			pods = append(pods, pod)
		}
	}
	return pods, nil
}

// register makes the Node object and reports it as ready.
func (n *Node) register(ctx context.Context) error {
	nodes := n.client.CoreV1().Nodes()
	node, err := nodes.Create(ctx, &corev1.Node{ObjectMeta: metav1.ObjectMeta{
		Name: n.options.Name, Labels: map[string]string{corev1.LabelHostname: n.options.Name, corev1.LabelOSStable: "linux"},
	}}, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		node, err = nodes.Get(ctx, n.options.Name, metav1.GetOptions{})
	}
	if err != nil {
		return fmt.Errorf("registering the node: %w", err)
	}
	node.Status.Addresses = []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: n.addresses.nodeIP()}}
	node.Status.Capacity, node.Status.Allocatable = capacity(), capacity()
	node.Status.Conditions = []corev1.NodeCondition{{
		Type: corev1.NodeReady, Status: corev1.ConditionTrue, Reason: "LocalNodeReady", Message: "Pods run as local processes",
		LastHeartbeatTime: now(), LastTransitionTime: now(),
	}}
	if _, err := nodes.UpdateStatus(ctx, node, metav1.UpdateOptions{}); err != nil {
		return fmt.Errorf("reporting the node as ready: %w", err)
	}
	return nil
}

// ensureDefaultAccount makes the service account that every namespace has in a cluster.
func (n *Node) ensureDefaultAccount(ctx context.Context, namespace string) {
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: "default"}}
	_, err := n.client.CoreV1().ServiceAccounts(namespace).Create(ctx, account, metav1.CreateOptions{})
	if err != nil && !apierrors.IsAlreadyExists(err) && ctx.Err() == nil {
		n.log.Warn("Failed to make the default service account", "namespace", namespace, "error", err)
	}
}

// wantsAPIAccess says whether a Pod gets its service account's token: unless the Pod, or else the
// account, refuses. A Pod whose account does not exist (yet) waits for it.
func (c *caches) wantsAPIAccess(pod *corev1.Pod) (bool, error) {
	if own := pod.Spec.AutomountServiceAccountToken; own != nil {
		return *own, nil
	}
	account, err := c.accounts.ServiceAccounts(pod.Namespace).Get(serviceAccountName(pod))
	if err != nil {
		return false, fmt.Errorf("reading the service account: %w", err)
	}
	return account.AutomountServiceAccountToken == nil || *account.AutomountServiceAccountToken, nil
}
