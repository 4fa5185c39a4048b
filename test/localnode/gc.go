package localnode

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/metadata/metadatainformer"
	"k8s.io/client-go/tools/cache"
)

const (
	gcDebounce = 50 * time.Millisecond
	gcRetry    = time.Second
)

// collectedResources are the kinds that the collector deletes when their owners are gone.
func collectedResources() []schema.GroupVersionResource {
	return []schema.GroupVersionResource{
		{Group: "apps", Version: "v1", Resource: "deployments"},
		{Group: "apps", Version: "v1", Resource: "statefulsets"},
		{Version: "v1", Resource: "pods"},
		{Version: "v1", Resource: "services"},
		{Version: "v1", Resource: "serviceaccounts"},
		{Version: "v1", Resource: "configmaps"},
		{Version: "v1", Resource: "secrets"},
		{Version: "v1", Resource: "persistentvolumeclaims"},
		{Group: "networking.k8s.io", Version: "v1", Resource: "networkpolicies"},
		{Group: "policy", Version: "v1", Resource: "poddisruptionbudgets"},
		{Group: "rbac.authorization.k8s.io", Version: "v1", Resource: "roles"},
		{Group: "rbac.authorization.k8s.io", Version: "v1", Resource: "rolebindings"},
	}
}

// customResources is where the collector learns which kinds may own something: an object that is
// deleted in the foreground waits for the collector even when it owns nothing.
var customResources = schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"}

// collector deletes objects whose owners are gone, and lets go of owners that are deleted in the
// foreground once what they own is gone. Orphaning deletion is not there.
type collector struct {
	client  metadata.Interface
	mapper  meta.ResettableRESTMapper
	factory metadatainformer.SharedInformerFactory
	log     *slog.Logger
	stop    <-chan struct{} // ends the watches
	dirty   chan struct{}
	running sync.WaitGroup // the watches

	mu      sync.Mutex
	watched map[schema.GroupVersionResource]cache.SharedIndexInformer
}

func newCollector(client metadata.Interface, mapper meta.ResettableRESTMapper, log *slog.Logger) *collector {
	return &collector{
		client: client, mapper: mapper, log: log,
		factory: metadatainformer.NewSharedInformerFactory(client, 0),
		dirty:   make(chan struct{}, 1),
		watched: map[schema.GroupVersionResource]cache.SharedIndexInformer{},
	}
}

// run collects until the context ends, and then waits for the watches to end.
func (c *collector) run(ctx context.Context) {
	defer c.running.Wait()
	for _, resource := range append(collectedResources(), customResources) {
		c.watch(resource)
	}
	for _, informer := range c.informers() {
		if !cache.WaitForCacheSync(ctx.Done(), informer.HasSynced) {
			return
		}
	}
	for {
		select {
		case <-ctx.Done():
			return
		case <-c.dirty:
		}
		if !sleep(ctx, gcDebounce) {
			return
		}
		if err := c.sweep(ctx); err != nil && ctx.Err() == nil {
			c.log.Warn("Failed to collect garbage", "error", err)
			if !sleep(ctx, gcRetry) {
				return
			}
			signal(c.dirty)
		}
	}
}

// watch keeps the metadata of a kind in memory from now on.
func (c *collector) watch(resource schema.GroupVersionResource) cache.SharedIndexInformer {
	c.mu.Lock()
	defer c.mu.Unlock()
	if informer, known := c.watched[resource]; known {
		return informer
	}
	informer := c.factory.ForResource(resource).Informer()
	changed := func() { signal(c.dirty) }
	_, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(any) { changed() },
		UpdateFunc: func(any, any) { changed() },
		DeleteFunc: func(any) { changed() },
	})
	if err != nil {
		c.log.Error("Failed to watch for garbage", "resource", resource.String(), "error", err)
	}
	c.watched[resource] = informer
	c.running.Go(func() { informer.Run(c.stop) })
	return informer
}

func (c *collector) informers() []cache.SharedIndexInformer {
	c.mu.Lock()
	defer c.mu.Unlock()
	informers := make([]cache.SharedIndexInformer, 0, len(c.watched))
	for _, informer := range c.watched {
		informers = append(informers, informer)
	}
	return informers
}

// sweep looks at everything once.
func (c *collector) sweep(ctx context.Context) error {
	errs := []error{c.watchCustomResources()}
	owned := map[types.UID]int{} // objects by owner that hold up its foreground deletion
	for _, resource := range collectedResources() {
		for _, object := range objectsIn(c.watch(resource)) {
			for _, ref := range object.OwnerReferences {
				if isTrue(ref.BlockOwnerDeletion) {
					owned[ref.UID]++
				}
			}
			if len(object.OwnerReferences) == 0 || object.DeletionTimestamp != nil {
				continue
			}
			errs = append(errs, c.collect(ctx, resource, object))
		}
	}
	return errors.Join(append(errs, c.finishForeground(ctx, owned))...)
}

func objectsIn(informer cache.SharedIndexInformer) []*metav1.PartialObjectMetadata {
	items := informer.GetStore().List()
	objects := make([]*metav1.PartialObjectMetadata, 0, len(items))
	for _, item := range items {
		if object, ok := item.(*metav1.PartialObjectMetadata); ok {
			objects = append(objects, object)
		}
	}
	return objects
}

// watchCustomResources watches the kinds that have been defined since.
func (c *collector) watchCustomResources() error {
	var errs []error
	for _, definition := range objectsIn(c.watch(customResources)) {
		plural, group, _ := strings.Cut(definition.Name, ".")
		resource, err := c.mapper.ResourceFor(schema.GroupVersionResource{Group: group, Resource: plural})
		if err != nil {
			c.mapper.Reset() // it may have been served since the mapper looked
			errs = append(errs, fmt.Errorf("finding the resource %s: %w", definition.Name, err))
			continue
		}
		c.watch(resource)
	}
	return errors.Join(errs...)
}

// collect deletes the object if every owner of it is gone or, being deleted in the foreground, waits
// for it.
func (c *collector) collect(ctx context.Context, resource schema.GroupVersionResource, object *metav1.PartialObjectMetadata) error {
	for _, ref := range object.OwnerReferences {
		holds, err := c.ownerHolds(ctx, object.Namespace, ref)
		if err != nil || holds {
			return err
		}
	}
	background := metav1.DeletePropagationBackground
	err := c.client.Resource(resource).Namespace(object.Namespace).Delete(ctx, object.Name, metav1.DeleteOptions{
		PropagationPolicy: &background,
		Preconditions:     &metav1.Preconditions{UID: &object.UID},
	})
	if ignoreNotFound(err) != nil && !apierrors.IsConflict(err) {
		return fmt.Errorf("deleting %s %s/%s: %w", resource.Resource, object.Namespace, object.Name, err)
	}
	return nil
}

// ownerHolds says whether an owner exists and keeps what it owns. What the cache does not know is asked
// of the API server: the cache may be behind.
func (c *collector) ownerHolds(ctx context.Context, namespace string, ref metav1.OwnerReference) (bool, error) {
	version, err := schema.ParseGroupVersion(ref.APIVersion)
	if err != nil {
		return true, nil // nothing can be known of such an owner
	}
	mapping, err := c.mapper.RESTMapping(schema.GroupKind{Group: version.Group, Kind: ref.Kind}, version.Version)
	if meta.IsNoMatchError(err) {
		return true, nil // as the real collector: an owner of an unknown kind is not known to be gone
	}
	if err != nil {
		return true, fmt.Errorf("finding the owner's kind %s: %w", ref.Kind, err)
	}
	key := ref.Name
	if mapping.Scope.Name() == meta.RESTScopeNameNamespace {
		key = namespace + "/" + ref.Name
	} else {
		namespace = ""
	}
	cached, found, err := c.watch(mapping.Resource).GetStore().GetByKey(key)
	if owner, ok := cached.(*metav1.PartialObjectMetadata); err == nil && found && ok && owner.UID == ref.UID {
		return !inForeground(owner), nil
	}
	owner, err := c.client.Resource(mapping.Resource).Namespace(namespace).Get(ctx, ref.Name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return false, nil
	}
	if err != nil {
		return true, fmt.Errorf("reading the owner %s %s: %w", ref.Kind, key, err)
	}
	return owner.UID == ref.UID && !inForeground(owner), nil
}

func inForeground(object *metav1.PartialObjectMetadata) bool {
	return object.DeletionTimestamp != nil && slices.Contains(object.Finalizers, metav1.FinalizerDeleteDependents)
}

// finishForeground lets go of the owners that own nothing any more.
func (c *collector) finishForeground(ctx context.Context, owned map[types.UID]int) error {
	c.mu.Lock()
	watched := make(map[schema.GroupVersionResource]cache.SharedIndexInformer, len(c.watched))
	maps.Copy(watched, c.watched)
	c.mu.Unlock()
	var errs []error
	for resource, informer := range watched {
		for _, object := range objectsIn(informer) {
			if inForeground(object) && owned[object.UID] == 0 {
				errs = append(errs, c.letGo(ctx, resource, object))
			}
		}
	}
	return errors.Join(errs...)
}

func (c *collector) letGo(ctx context.Context, resource schema.GroupVersionResource, object *metav1.PartialObjectMetadata) error {
	remaining := slices.DeleteFunc(slices.Clone(object.Finalizers), func(f string) bool { return f == metav1.FinalizerDeleteDependents })
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{
		"resourceVersion": object.ResourceVersion, "finalizers": remaining,
	}})
	if err != nil {
		return fmt.Errorf("rendering a patch: %w", err)
	}
	_, err = c.client.Resource(resource).Namespace(object.Namespace).Patch(ctx, object.Name, types.MergePatchType, patch, metav1.PatchOptions{})
	if ignoreNotFound(err) != nil && !apierrors.IsConflict(err) {
		return fmt.Errorf("releasing %s %s/%s: %w", resource.Resource, object.Namespace, object.Name, err)
	}
	return nil
}
