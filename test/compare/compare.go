// Package compare compares what a cluster shows of the simulated city with what the city knows to be
// true. The demo ends with it, and the end-to-end tests begin with it.
package compare

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/tanggap/tanggap/api/v1alpha1"
	"github.com/tanggap/tanggap/test/cluster"
	"github.com/tanggap/tanggap/test/simulator/city"
)

// control is where the simulated city is asked and told.
const control = "http://control.city-simulator.svc:80"

// Quiet ends the arrival of new complaints; what has begun comes to its end.
func Quiet(ctx context.Context, c *cluster.Cluster) error {
	return ask(ctx, c, http.MethodPost, "/quiet", nil)
}

// Mail tells the channel of the city's mailbox where it is. Mail servers are not reached by the names of a cluster
// that there is not, and this one makes its certificate itself.
func Mail(ctx context.Context, c *cluster.Cluster, namespace string) error {
	answer, err := call(ctx, c, http.MethodPost, "/mail")
	if err != nil {
		return err
	}
	defer func() { _ = answer.Close() }()
	var server city.MailServer
	if err := json.NewDecoder(answer).Decode(&server); err != nil {
		return fmt.Errorf("asking the simulated city for its mailbox: %w", err)
	}
	key := client.ObjectKey{Namespace: namespace, Name: city.Mail}
	var secret corev1.Secret
	if err := c.Client.Get(ctx, key, &secret); err != nil {
		return err
	}
	before := secret.DeepCopy()
	secret.Data["ca.crt"] = []byte(server.Authority)
	if err := c.Client.Patch(ctx, &secret, client.MergeFrom(before)); err != nil {
		return err
	}
	var channel v1alpha1.ComplaintChannel
	if err := c.Client.Get(ctx, key, &channel); err != nil {
		return err
	}
	was := channel.DeepCopy()
	mail := channel.Spec.Source.Email
	mail.Host, mail.Port = server.Host, &server.Port
	mail.CASecretRef = &v1alpha1.SecretKeyReference{Name: city.Mail, Key: "ca.crt"}
	return c.Client.Patch(ctx, &channel, client.MergeFrom(was))
}

// Truth is what is true of each channel now.
func Truth(ctx context.Context, c *cluster.Cluster) (map[string]city.Figures, error) {
	var truth map[string]city.Figures
	return truth, ask(ctx, c, http.MethodGet, "/truth", &truth)
}

// City is an error for everything that the channels of a namespace and the metrics show otherwise than
// it is.
func City(ctx context.Context, c *cluster.Cluster, namespace string) error {
	truth, err := Truth(ctx, c)
	if err != nil {
		return err
	}
	metrics, err := c.Scrape(ctx)
	if err != nil {
		return err
	}
	var channels v1alpha1.ComplaintChannelList
	if err := c.Client.List(ctx, &channels, client.InNamespace(namespace)); err != nil {
		return err
	}
	var faults []error
	if len(channels.Items) != len(truth) {
		faults = append(faults, fmt.Errorf("%d channels are shown, %d exist", len(channels.Items), len(truth)))
	}
	for i := range channels.Items {
		faults = append(faults, compareChannel(&channels.Items[i], truth[channels.Items[i].Name], metrics))
	}
	if breached, _ := metrics.Sum("tanggap_sla_clocks_total", "namespace="+namespace, "outcome=breached"); breached == 0 {
		faults = append(faults, errors.New("no promise is shown as broken"))
	}
	return errors.Join(faults...)
}

func compareChannel(channel *v1alpha1.ComplaintChannel, want city.Figures, metrics cluster.Metrics) error {
	var faults []error
	for _, name := range []string{
		v1alpha1.ConditionAccepted, v1alpha1.ConditionWorkerAvailable, v1alpha1.ConditionSourceConnected, v1alpha1.ConditionReady,
	} {
		if !meta.IsStatusConditionTrue(channel.Status.Conditions, name) {
			faults = append(faults, fmt.Errorf("%s: the condition %s is not True", channel.Name, name))
		}
	}
	for family, figure := range map[string]int{
		"tanggap_complaints_unanswered":     want.Unanswered,
		"tanggap_complaints_received_total": want.Received,
		"tanggap_complaints_answered_total": want.Answered,
	} {
		if sum, _ := metrics.Sum(family, "namespace="+channel.Namespace, "channel="+channel.Name); int(sum) != figure {
			faults = append(faults, fmt.Errorf("%s: %s is %v, true is %d", channel.Name, family, sum, figure))
		}
	}
	for name, pair := range map[string]struct {
		got  *int64
		want int
	}{
		"status.unanswered": {channel.Status.Unanswered, want.Unanswered},
		"status.overdue":    {channel.Status.Overdue, want.Overdue},
	} {
		if pair.got == nil || int(*pair.got) != pair.want {
			faults = append(faults, fmt.Errorf("%s: %s is %s, true is %d", channel.Name, name, pointed(pair.got), pair.want))
		}
	}
	return errors.Join(faults...)
}

func pointed(n *int64) string {
	if n == nil {
		return "absent"
	}
	return fmt.Sprint(*n)
}

// ask calls the simulated city's control interface.
func ask(ctx context.Context, c *cluster.Cluster, method, path string, into any) error {
	answer, err := call(ctx, c, method, path)
	if err != nil {
		return err
	}
	defer func() { _ = answer.Close() }()
	if into == nil {
		return nil
	}
	return json.NewDecoder(answer).Decode(into)
}

// call is the body of an answer, which the caller closes.
func call(ctx context.Context, c *cluster.Cluster, method, path string) (io.ReadCloser, error) {
	transport := &http.Transport{DialContext: c.Node.DialContext, DisableKeepAlives: true}
	request, err := http.NewRequestWithContext(ctx, method, control+path, http.NoBody)
	if err != nil {
		return nil, err
	}
	response, err := (&http.Client{Transport: transport}).Do(request)
	if err != nil {
		return nil, fmt.Errorf("asking the simulated city: %w", err)
	}
	if response.StatusCode >= http.StatusMultipleChoices {
		_ = response.Body.Close()
		return nil, fmt.Errorf("the simulated city answers %s", response.Status)
	}
	return response.Body, nil
}
