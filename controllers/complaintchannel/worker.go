package complaintchannel

import (
	"encoding/json"
	"fmt"
	"slices"

	metav1ac "k8s.io/client-go/applyconfigurations/meta/v1"

	"github.com/tanggap/tanggap/api/v1alpha1"
	"github.com/tanggap/tanggap/controllers/internal/index"
	"github.com/tanggap/tanggap/controllers/internal/names"
	"github.com/tanggap/tanggap/controllers/internal/secrets"
	"github.com/tanggap/tanggap/internal/worker"
)

// Worker is a process that runs channels; the builders of resources.go make its objects. Today each
// channel has a worker of its own; nothing but the choice of Name, Channels and Owners depends on it.
type Worker struct {
	// Name and Namespace of all its objects.
	Name, Namespace string
	// Instance is the value of the instance label.
	Instance string
	// Image that the pods run.
	Image string
	// LedgerURL and LedgerTrust are the address of the ledger of all the channels, and the ConfigMap with
	// the certificates to trust.
	LedgerURL, LedgerTrust string
	// Channels that the worker runs, in the order of their names.
	Channels []*v1alpha1.ComplaintChannel
	// Owners are the objects whose end is the worker's end.
	Owners []*metav1ac.OwnerReferenceApplyConfiguration
	// Replicas of the Deployment; nil leaves the number to an autoscaler.
	Replicas *int32
	// Resources of the container; nil is the default.
	Resources *v1alpha1.Resources
	// CredentialsHash is a keyed digest of the values of all Secrets in use.
	CredentialsHash string
}

// workerOf is the worker of a single channel.
func workerOf(channel *v1alpha1.ComplaintChannel, image string) *Worker {
	ledger := index.Ledger(channel)
	w := &Worker{
		Name: names.Worker(channel.Name), Namespace: channel.Namespace, Instance: channel.Name, Image: image,
		LedgerURL: names.LedgerURL(ledger), LedgerTrust: names.LedgerTrust(ledger.Name),
		Channels: []*v1alpha1.ComplaintChannel{channel},
		Owners:   []*metav1ac.OwnerReferenceApplyConfiguration{owner(channel)},
		Replicas: replicas(channel),
	}
	if channel.Spec.Worker != nil {
		w.Resources = channel.Spec.Worker.Resources
	}
	return w
}

// replicas is how many processes read a channel; nil leaves the number to an autoscaler.
func replicas(channel *v1alpha1.ComplaintChannel) *int32 {
	var asked *int32
	if channel.Spec.Worker != nil {
		asked = channel.Spec.Worker.Replicas
	}
	switch {
	case channel.Spec.Suspend:
		return new(int32(0))
	case asked != nil:
		return asked
	case isPush(channel):
		return nil
	}
	return new(int32(1))
}

// isPush says that the source is delivered to, so that several workers can take deliveries side by side.
func isPush(channel *v1alpha1.ComplaintChannel) bool {
	return channel.Spec.Source.Pushed()
}

// hasPush says that something has to reach the worker from outside.
func (w *Worker) hasPush() bool { return slices.ContainsFunc(w.Channels, isPush) }

// onlyPush says that two generations of the worker may run side by side.
func (w *Worker) onlyPush() bool {
	return !slices.ContainsFunc(w.Channels, func(c *v1alpha1.ComplaintChannel) bool { return !isPush(c) })
}

// references are the keys of Secrets that the channels use.
func (w *Worker) references() []secrets.Reference {
	var all []secrets.Reference
	for _, channel := range w.Channels {
		all = append(all, index.SecretReferences(channel)...)
	}
	return all
}

// config is what the worker reads; it holds no secret.
func (w *Worker) config() ([]byte, error) {
	config := worker.Config{LedgerURL: w.LedgerURL}
	for _, channel := range w.Channels {
		config.Channels = append(config.Channels, worker.ChannelConfig{
			Name: channel.Name, Source: channel.Spec.Source, AssumeTimeZone: channel.Spec.AssumeTimeZone,
		})
	}
	rendered, err := json.MarshalIndent(config, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("rendering the worker's configuration: %w", err)
	}
	return rendered, nil
}

func owner(channel *v1alpha1.ComplaintChannel) *metav1ac.OwnerReferenceApplyConfiguration {
	return metav1ac.OwnerReference().WithAPIVersion(v1alpha1.GroupVersion.String()).WithKind("ComplaintChannel").
		WithName(channel.Name).WithUID(channel.UID).WithController(true)
}
