package site

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"

	"github.com/tanggap/tanggap/api/v1alpha1"
	"github.com/tanggap/tanggap/internal/calendar"
	"github.com/tanggap/tanggap/internal/policy"
	"github.com/tanggap/tanggap/internal/sla"
	"github.com/tanggap/tanggap/internal/taxonomy"
	"github.com/tanggap/tanggap/internal/worker"
)

// signingSecret signs the deliveries of every channel.
const signingSecret = "an-example-of-a-signing-secret"

// SignatureHeader carries a delivery's signature.
const SignatureHeader = "X-Hub-Signature-256"

// Sign is the value of SignatureHeader for a body.
func Sign(body []byte) string {
	mac := hmac.New(sha256.New, []byte(signingSecret))
	mac.Write(body)
	return "sha256=" + hex.EncodeToString(mac.Sum(nil))
}

// Secrets are those that Channels name.
func Secrets() map[string]string {
	return map[string]string{"hook/signing-secret": signingSecret + "\n"}
}

// Channels are channels of the type webhook, mapped as a call centre's or a portal's would be: what they
// are sent is a Delivery.
func Channels(names ...string) []worker.ChannelConfig {
	perSecond := int32(100_000)
	var channels []worker.ChannelConfig
	for _, name := range names {
		channels = append(channels, worker.ChannelConfig{Name: name, Source: v1alpha1.ChannelSource{
			Type: v1alpha1.SourceWebhook,
			Webhook: &v1alpha1.WebhookSource{
				RequestsPerSecond: &perSecond,
				Verification: v1alpha1.WebhookVerification{Type: v1alpha1.VerificationHMAC, HMAC: &v1alpha1.HMACVerification{
					Header: SignatureHeader, Prefix: "sha256=", Algorithm: "SHA256", Encoding: "Hex", SignedContent: "{body}",
					SecretRefs: []v1alpha1.SecretKeyReference{{Name: "hook", Key: "signing-secret"}},
				}},
				Mapping: v1alpha1.EventMapping{
					CaseID:   "item.id",
					Reporter: &v1alpha1.ReporterMapping{Phone: "item.?phone"},
					Location: &v1alpha1.LocationMapping{Latitude: "item.?location.?lat", Longitude: "item.?location.?lon"},
					Attributes: []v1alpha1.AttributeMapping{
						{Name: "address", Value: "item.?address"},
						{Name: "source", Value: "item.?source"},
					},
					Events: []v1alpha1.EventRule{
						{Kind: "Received", At: "item.at", Text: "item.text"},
						{Kind: "Answered", When: "item.?answered_at.orValue(null) != null", At: "item.answered_at", Text: "item.?answer"},
					},
				},
			},
		}})
	}
	return channels
}

// Policy is that of a city: three clocks, a calendar and a taxonomy for each channel of the names.
func Policy(names ...string) policy.Document {
	document := policy.Document{
		Channels: map[string]policy.Channel{},
		SLAs: map[string]sla.Spec{"city": {Rules: []sla.Rule{{Name: "all", Clocks: []sla.Clock{
			{Name: "FirstAnswer", Measures: "FirstAnswer", Target: sla.Target{WorkingTime: "8h"}, WarnBefore: "25%"},
			{Name: "NextReply", Measures: "NextReply", Target: sla.Target{Within: "4h"}},
			{Name: "Resolution", Measures: "TotalResolution", Target: sla.Target{WorkingDays: 5}},
		}}}}},
		Calendars: map[string]calendar.Spec{"office": {TimeZone: "Asia/Jakarta", Weekly: []calendar.WeeklyHours{{
			Days: []string{"Monday", "Tuesday", "Wednesday", "Thursday", "Friday"}, Hours: []calendar.Interval{{Start: "07:30", End: "16:00"}},
		}}}},
		Taxonomies: map[string]taxonomy.Spec{"words": {
			Departments: []taxonomy.Department{{Name: "dpupr"}, {Name: "dlhk"}, {Name: "dishub"}},
			Categories: []taxonomy.Category{
				{Name: "flood", Department: "dpupr", Priority: "high", Keywords: []string{"banjir", "genangan", "drainase"}},
				{Name: "tree", Department: "dlhk", Keywords: []string{"pohon", "dahan", "tumbang"}},
				{Name: "garbage", Department: "dlhk", Keywords: []string{"sampah", "bau"}},
				{Name: "traffic", Department: "dishub", Keywords: []string{"macet", "lampu lalu lintas"}},
			},
		}},
		Linking: policy.Linking{Window: "72h"},
	}
	for _, name := range names {
		document.Channels[name] = policy.Channel{
			Type: "webhook", Official: true, Writer: Writer, SLA: "city", Calendar: "office", Taxonomy: "words",
		}
	}
	return document.Seal()
}
