package cluster

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// ErrNoLeader says that no operator exports the city's metrics (now).
var ErrNoLeader = errors.New("no operator exports tanggap_summary_up")

// Metrics are the families of one scrape.
type Metrics map[string]*dto.MetricFamily

// Scrape reads the leader's metrics through its secured endpoint, with a token of the service account
// that is bound to the shipped reader role.
func (c *Cluster) Scrape(ctx context.Context) (Metrics, error) {
	token, err := c.ScraperToken(ctx)
	if err != nil {
		return nil, err
	}
	var pods corev1.PodList
	if err := c.Client.List(ctx, &pods, client.InNamespace(OperatorNamespace), client.MatchingLabels{"app.kubernetes.io/component": "operator"}); err != nil {
		return nil, fmt.Errorf("listing operators: %w", err)
	}
	failures := []error{ErrNoLeader}
	for _, pod := range pods.Items {
		if pod.Status.PodIP == "" {
			continue
		}
		metrics, err := scrape(ctx, "https://"+pod.Status.PodIP+":8443/metrics", token)
		if err != nil {
			failures = append(failures, err)
		}
		if metrics["tanggap_summary_up"] != nil {
			return metrics, nil
		}
	}
	return nil, errors.Join(failures...)
}

// ScraperToken is a token of the scraper's service account that is good for a minute at least.
func (c *Cluster) ScraperToken(ctx context.Context) (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if time.Until(c.tokenExpires) > time.Minute {
		return c.token, nil
	}
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: OperatorNamespace, Name: scraper}}
	request := &authenticationv1.TokenRequest{}
	if err := c.Client.SubResource("token").Create(ctx, account, request); err != nil {
		return "", fmt.Errorf("requesting a token: %w", err)
	}
	c.token, c.tokenExpires = request.Status.Token, request.Status.ExpirationTimestamp.Time
	return c.token, nil
}

// MetricsCommand is a command line that reads the metrics of an operator.
func (c *Cluster) MetricsCommand(ctx context.Context) (string, error) {
	var pods corev1.PodList
	if err := c.Client.List(ctx, &pods, client.InNamespace(OperatorNamespace), client.MatchingLabels{"app.kubernetes.io/component": "operator"}); err != nil {
		return "", fmt.Errorf("listing operators: %w", err)
	}
	for _, pod := range pods.Items {
		if pod.Status.PodIP == "" {
			continue
		}
		return fmt.Sprintf(`curl -sk -H "Authorization: Bearer $(%s --kubeconfig %s -n %s create token %s)" https://%s:8443/metrics`,
			c.KubectlPath(), c.KubeconfigPath(), OperatorNamespace, scraper, pod.Status.PodIP), nil
	}
	return "", ErrNoLeader
}

func scrape(ctx context.Context, url, token string) (Metrics, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Authorization", "Bearer "+token)
	// The operator signs its own certificate unless it is given one; nothing leaves the loopback here.
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	defer transport.CloseIdleConnections()
	response, err := (&http.Client{Transport: transport}).Do(request)
	if err != nil {
		return nil, fmt.Errorf("scraping: %w", err)
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(response.Body, 200))
		return nil, fmt.Errorf("scraping: %s: %s", response.Status, text)
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(response.Body)
	if err != nil {
		return nil, fmt.Errorf("reading the metrics: %w", err)
	}
	return families, nil
}

// Sum adds up the series of a family that have the labels, given as name=value; found is false when
// there is none, which is not the same as 0.
func (m Metrics) Sum(family string, labels ...string) (sum float64, found bool) {
	want := map[string]string{}
	for _, label := range labels {
		name, value, _ := strings.Cut(label, "=")
		want[name] = value
	}
	for _, metric := range m[family].GetMetric() {
		have := map[string]string{}
		for _, pair := range metric.GetLabel() {
			have[pair.GetName()] = pair.GetValue()
		}
		if slices.ContainsFunc(slices.Collect(maps.Keys(want)), func(name string) bool { return have[name] != want[name] }) {
			continue
		}
		found = true
		sum += metric.GetGauge().GetValue() + metric.GetCounter().GetValue()
	}
	return sum, found
}
