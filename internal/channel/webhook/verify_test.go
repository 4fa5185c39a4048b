package webhook

import (
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/tanggap/tanggap/api/v1alpha1"
	"github.com/tanggap/tanggap/internal/channel"
	"github.com/tanggap/tanggap/internal/channel/channeltest"
	"github.com/tanggap/tanggap/internal/channel/push"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
)

func ref(key string) v1alpha1.SecretKeyReference {
	return v1alpha1.SecretKeyReference{Name: "112", Key: key}
}

// verifierOf makes the verifier of a specification whose clock stands at the instant.
func verifierOf(t testing.TB, spec v1alpha1.WebhookVerification, at time.Time, secrets map[string]string) push.Verifier {
	t.Helper()
	clock := channeltest.NewClock(at)
	settings := channeltest.Settings(v1alpha1.ChannelSource{}, clock, nil, secrets)
	v, err := newVerifier(&spec, settings.Credential, clock.Now)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func headers(pairs ...string) http.Header {
	h := http.Header{}
	for i := 0; i+1 < len(pairs); i += 2 {
		h.Set(pairs[i], pairs[i+1])
	}
	return h
}

func standardSpec(keys ...string) v1alpha1.WebhookVerification {
	spec := &v1alpha1.StandardWebhooksVerification{}
	for _, key := range keys {
		spec.SecretRefs = append(spec.SecretRefs, ref(key))
	}
	return v1alpha1.WebhookVerification{Type: v1alpha1.VerificationStandardWebhooks, StandardWebhooks: spec}
}

func TestStandardWebhooksPublishedVector(t *testing.T) {
	var vector struct {
		Secret, Payload string
		Headers         map[string]string
	}
	if err := json.Unmarshal(load(t, "standardwebhooks_vector.json"), &vector); err != nil {
		t.Fatal(err)
	}
	h := http.Header{}
	for name, value := range vector.Headers {
		h.Set(name, value)
	}
	v := verifierOf(t, standardSpec("a"), time.Unix(1614265330, 0), map[string]string{"112/a": vector.Secret})
	if err := v.Verify(h, []byte(vector.Payload)); err != nil {
		t.Error(err)
	}
}

func TestStandardWebhooks(t *testing.T) {
	const body = `{"type":"incident.created","n":1}`
	other := "whsec_" + base64.StdEncoding.EncodeToString([]byte("another secret of 32 bytes, older"))
	public, private, err := ed25519.GenerateKey(strings.NewReader(strings.Repeat("x", 64)))
	if err != nil {
		t.Fatal(err)
	}
	secrets := map[string]string{"112/a": secret, "112/b": other, "112/public": "whpk_" + base64.StdEncoding.EncodeToString(public)}
	good := sign(t, secret, "msg_1", monday, body)
	signature := good[5]
	asymmetric := "v1a," + base64.StdEncoding.EncodeToString(ed25519.Sign(private, []byte("msg_1."+good[3]+"."+body)))

	const unsigned, mismatch = "SignatureInvalid: the header webhook-signature is missing", "SignatureInvalid: the signature does not verify"
	tests := map[string]struct {
		keys   []string
		header []string
		body   string
		at     time.Time
		want   string
	}{
		"as it was sent":                        {header: good},
		"without the prefix of the secret":      {keys: []string{"plain"}, header: good},
		"by the second of two secrets":          {keys: []string{"b", "a"}, header: good},
		"signed by old and new":                 {header: []string{"webhook-signature", sign(t, other, "msg_1", monday, body)[5] + " " + signature}},
		"with signatures of versions to come":   {header: []string{"webhook-signature", "v9,abc v1a,def " + signature}},
		"by a public key":                       {keys: []string{"public"}, header: []string{"webhook-signature", asymmetric}},
		"by one of a secret and a public key":   {keys: []string{"a", "public"}, header: []string{"webhook-signature", signature + " " + asymmetric}},
		"four minutes late":                     {header: good, at: monday.Add(4 * time.Minute)},
		"four minutes early":                    {header: good, at: monday.Add(-4 * time.Minute)},
		"replayed":                              {header: good, at: monday.Add(6 * time.Minute), want: "Replayed: the delivery's timestamp is more than 5m0s away from the time here; check the clock, or send it anew"},
		"from the future":                       {header: good, at: monday.Add(-6 * time.Minute), want: "Replayed: the delivery's timestamp is more than 5m0s away from the time here; check the clock, or send it anew"},
		"late and forged is forged":             {header: good, body: "{}", at: monday.Add(6 * time.Minute), want: mismatch},
		"unsigned":                              {header: []string{"webhook-signature", ""}, want: unsigned},
		"without its identifier":                {header: []string{"webhook-id", ""}, want: "SignatureInvalid: the header webhook-id is missing"},
		"without its time":                      {header: []string{"webhook-timestamp", ""}, want: "SignatureInvalid: the header webhook-timestamp is missing"},
		"with another identifier":               {header: []string{"webhook-id", "msg_2"}, want: mismatch},
		"with another time":                     {header: []string{"webhook-timestamp", strconv.FormatInt(monday.Unix()+1, 10)}, want: mismatch},
		"with the time in words":                {header: []string{"webhook-timestamp", "2026-11-02T02:00:00Z"}, want: "SignatureInvalid: the header webhook-timestamp must be unix seconds"},
		"with a signed time":                    {header: []string{"webhook-timestamp", "+1793584800"}, want: "SignatureInvalid: the header webhook-timestamp must be unix seconds"},
		"with an identifier that moves the cut": {header: []string{"webhook-id", "msg_1.5"}, want: "SignatureInvalid: the header webhook-id must not contain a dot"},
		"tampered with":                         {header: good, body: strings.Replace(body, "1", "2", 1), want: mismatch},
		"truncated":                             {header: good, body: body[:len(body)-1], want: mismatch},
		"written anew":                          {header: good, body: `{"type": "incident.created", "n": 1}`, want: mismatch},
		"with its signature truncated":          {header: []string{"webhook-signature", signature[:len(signature)-4]}, want: mismatch},
		"with its signature in another base64":  {header: []string{"webhook-signature", strings.NewReplacer("+", "-", "/", "_", "=", "").Replace(signature)}, want: mismatch},
		"with its signature under another name": {header: []string{"webhook-signature", "v2" + signature[2:]}, want: mismatch},
		"with nothing but a name":               {header: []string{"webhook-signature", "v1,"}, want: mismatch},
		"by a secret nobody gave":               {keys: []string{"b"}, header: good, want: mismatch},
		"by a public key nobody gave":           {keys: []string{"a"}, header: []string{"webhook-signature", asymmetric}, want: mismatch},
		"by a secret where a key is expected":   {keys: []string{"public"}, header: good, want: mismatch},
		"with a thousand signatures":            {header: []string{"webhook-signature", strings.Repeat("v1,x ", 1000) + signature}, want: "SignatureInvalid: the header webhook-signature lists more than 16 signatures"},
	}
	secrets["112/plain"] = strings.TrimPrefix(secret, "whsec_")
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if tt.keys == nil {
				tt.keys = []string{"a"}
			}
			if tt.at.IsZero() {
				tt.at = monday
			}
			if tt.body == "" {
				tt.body = body
			}
			h := headers(append(append([]string{}, good...), tt.header...)...)
			check(t, verifierOf(t, standardSpec(tt.keys...), tt.at, secrets).Verify(h, []byte(tt.body)), tt.want)
		})
	}
}

func check(t *testing.T, err *channel.Error, want string) {
	t.Helper()
	got := ""
	if err != nil {
		got = err.Error()
	}
	if got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestHMACShapesOfVendors(t *testing.T) {
	body := []byte(`{"a":1}`)
	const timestamp = "1793584800" // monday
	hexOf := hex.EncodeToString
	sum512 := hmac.New(sha512.New, []byte("kunci"))
	sum512.Write(body)
	sum1 := hmac.New(sha1.New, []byte("kunci"))
	sum1.Write(body)
	of := func(content string) []byte {
		mac := hmac.New(sha256.New, []byte("kunci"))
		mac.Write([]byte(content))
		return mac.Sum(nil)
	}
	plain := of(string(body))
	timed := of(timestamp + "." + string(body))
	const mismatch = "SignatureInvalid: the signature does not verify"
	const noTime = "SignatureInvalid: the delivery's timestamp is missing or is not in unix seconds"
	const replayed = "Replayed: the delivery's timestamp is more than 5m0s away from the time here; check the clock, or send it anew"

	meta := v1alpha1.HMACVerification{Header: "X-Hub-Signature-256", Prefix: "sha256="}
	shop := v1alpha1.HMACVerification{Header: "X-Shop-Hmac", Encoding: "Base64"}
	slack := v1alpha1.HMACVerification{Header: "X-Slack-Signature", Prefix: "v0=", SignedContent: "v0:{timestamp}:{body}", TimestampHeader: "X-Slack-Request-Timestamp"}
	stripe := v1alpha1.HMACVerification{Header: "Stripe-Signature", SignedContent: "{timestamp}.{body}", TimestampField: "t", SignatureField: "v1"}
	identified := v1alpha1.HMACVerification{Header: "X-Sig", SignedContent: "{id}.{timestamp}.{body}", TimestampHeader: "X-Time", IDHeader: "X-Id"}
	tests := map[string]struct {
		spec   v1alpha1.HMACVerification
		header []string
		body   string
		at     time.Time
		want   string
	}{
		"hex with a prefix":                     {spec: meta, header: []string{"X-Hub-Signature-256", "sha256=" + hexOf(plain)}},
		"hex in capitals":                       {spec: meta, header: []string{"X-Hub-Signature-256", "sha256=" + strings.ToUpper(hexOf(plain))}},
		"without the prefix":                    {spec: meta, header: []string{"X-Hub-Signature-256", hexOf(plain)}, want: mismatch},
		"base64":                                {spec: shop, header: []string{"X-Shop-Hmac", base64.StdEncoding.EncodeToString(plain)}},
		"hex where base64 is expected":          {spec: shop, header: []string{"X-Shop-Hmac", hexOf(plain)}, want: mismatch},
		"SHA-512":                               {spec: v1alpha1.HMACVerification{Header: "X-Sig", Algorithm: "SHA512"}, header: []string{"X-Sig", hexOf(sum512.Sum(nil))}},
		"SHA-1":                                 {spec: v1alpha1.HMACVerification{Header: "X-Sig", Algorithm: "SHA1"}, header: []string{"X-Sig", hexOf(sum1.Sum(nil))}},
		"SHA-1 where SHA-256 is expected":       {spec: v1alpha1.HMACVerification{Header: "X-Sig"}, header: []string{"X-Sig", hexOf(sum1.Sum(nil))}, want: mismatch},
		"a time in a header":                    {spec: slack, header: []string{"X-Slack-Request-Timestamp", timestamp, "X-Slack-Signature", "v0=" + hexOf(of("v0:"+timestamp+":"+string(body)))}},
		"the time missing":                      {spec: slack, header: []string{"X-Slack-Signature", "v0=" + hexOf(plain)}, want: noTime},
		"t and v1 in one header":                {spec: stripe, header: []string{"Stripe-Signature", "t=" + timestamp + ",v1=" + hexOf(timed) + ",v0=x"}},
		"t and v1 with spaces, two of them":     {spec: stripe, header: []string{"Stripe-Signature", "t=" + timestamp + ", v1=00, v1=" + hexOf(timed)}},
		"t missing":                             {spec: stripe, header: []string{"Stripe-Signature", "v1=" + hexOf(timed)}, want: noTime},
		"t twice takes the first":               {spec: stripe, header: []string{"Stripe-Signature", "t=1793584801,t=" + timestamp + ",v1=" + hexOf(timed)}, want: mismatch},
		"v1 missing":                            {spec: stripe, header: []string{"Stripe-Signature", "t=" + timestamp}, want: mismatch},
		"replayed":                              {spec: stripe, header: []string{"Stripe-Signature", "t=" + timestamp + ",v1=" + hexOf(timed)}, at: monday.Add(time.Hour), want: replayed},
		"the time changed":                      {spec: stripe, header: []string{"Stripe-Signature", "t=1793588400,v1=" + hexOf(timed)}, at: monday.Add(time.Hour), want: mismatch},
		"with an identifier":                    {spec: identified, header: []string{"X-Id", "7", "X-Time", timestamp, "X-Sig", hexOf(of("7." + timestamp + "." + string(body)))}},
		"with an identifier that is a template": {spec: identified, header: []string{"X-Id", "{body}", "X-Time", timestamp, "X-Sig", hexOf(of("{body}." + timestamp + "." + string(body)))}},
		"the identifier missing":                {spec: identified, header: []string{"X-Time", timestamp, "X-Sig", hexOf(plain)}, want: "SignatureInvalid: the header X-Id is missing"},
		"unsigned":                              {spec: meta, want: "SignatureInvalid: the header X-Hub-Signature-256 is missing"},
		"tampered with":                         {spec: meta, header: []string{"X-Hub-Signature-256", "sha256=" + hexOf(plain)}, body: `{"a":2}`, want: mismatch},
		"written anew":                          {spec: meta, header: []string{"X-Hub-Signature-256", "sha256=" + hexOf(plain)}, body: `{"a": 1}`, want: mismatch},
		"a truncated signature":                 {spec: meta, header: []string{"X-Hub-Signature-256", "sha256=" + hexOf(plain)[:62]}, want: mismatch},
		"no signature after the prefix":         {spec: meta, header: []string{"X-Hub-Signature-256", "sha256="}, want: mismatch},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			tt.spec.SecretRefs = []v1alpha1.SecretKeyReference{ref("old"), ref("key")}
			if tt.at.IsZero() {
				tt.at = monday
			}
			if tt.body == "" {
				tt.body = string(body)
			}
			v := verifierOf(t, v1alpha1.WebhookVerification{Type: v1alpha1.VerificationHMAC, HMAC: &tt.spec}, tt.at, map[string]string{"112/old": "lama", "112/key": "kunci"})
			check(t, v.Verify(headers(tt.header...), []byte(tt.body)), tt.want)
		})
	}
}

func TestHMACPublishedVector(t *testing.T) {
	var vector struct {
		Header, Secret, Expected string
		Body                     string `json:"raw_body"`
	}
	if err := json.Unmarshal(load(t, "x_hub_signature_256_vector.json"), &vector); err != nil {
		t.Fatal(err)
	}
	v := verifierOf(t, v1alpha1.WebhookVerification{Type: v1alpha1.VerificationHMAC, HMAC: &v1alpha1.HMACVerification{
		Header: vector.Header, Prefix: "sha256=", SignedContent: "{body}", SecretRefs: []v1alpha1.SecretKeyReference{ref("key")},
	}}, monday, map[string]string{"112/key": vector.Secret})
	check(t, v.Verify(headers(vector.Header, vector.Expected), []byte(vector.Body)), "")
	check(t, v.Verify(headers(vector.Header, vector.Expected), []byte(vector.Body+" ")), "SignatureInvalid: the signature does not verify")
}

func TestBearer(t *testing.T) {
	v := verifierOf(t, v1alpha1.WebhookVerification{Type: v1alpha1.VerificationBearer, Bearer: &v1alpha1.BearerVerification{
		TokenSecretRefs: []v1alpha1.SecretKeyReference{ref("old"), ref("new")},
	}}, monday, map[string]string{"112/old": "lama", "112/new": "baru"})
	const missing, wrong = "SignatureInvalid: the Authorization header with a bearer token is missing", "SignatureInvalid: the bearer token is not the right one"
	for value, want := range map[string]string{
		"Bearer lama": "", "bearer baru": "", "Bearer  baru": "", "Bearer baru2": wrong, "Bearer bar": wrong, "Bearer ": wrong, "Bearer": missing,
		"Basic baru": missing, "baru": missing, "": missing,
	} {
		t.Run(value, func(t *testing.T) {
			check(t, v.Verify(headers("Authorization", value), nil), want)
		})
	}
}

func TestSecretsThatAreNoneAreNamed(t *testing.T) {
	hmacSpec := v1alpha1.WebhookVerification{Type: v1alpha1.VerificationHMAC, HMAC: &v1alpha1.HMACVerification{Header: "X", SecretRefs: []v1alpha1.SecretKeyReference{ref("a")}}}
	bearerSpec := v1alpha1.WebhookVerification{Type: v1alpha1.VerificationBearer, Bearer: &v1alpha1.BearerVerification{TokenSecretRefs: []v1alpha1.SecretKeyReference{ref("a")}}}
	tests := map[string]struct {
		spec   v1alpha1.WebhookVerification
		value  string
		absent bool
		want   string
	}{
		"absent":              {spec: standardSpec("a"), absent: true, want: "CredentialMissing: the Secret 112 has no key a"},
		"no base64":           {spec: standardSpec("a"), value: "whsec_rahasia!", want: "CredentialMissing: the key a of the Secret 112 holds no signing secret: whsec_ or whpk_ and base64 are expected"},
		"too short":           {spec: standardSpec("a"), value: "whsec_cmFoYXNpYQ==", want: "CredentialMissing: the key a of the Secret 112 holds a secret of less than 24 bytes, which is too weak"},
		"a private key":       {spec: standardSpec("a"), value: "whsk_cmFoYXNpYQ==", want: "CredentialMissing: the key a of the Secret 112 holds a private key (whsk_…), which only the sender may have; give the public key (whpk_…)"},
		"a short public key":  {spec: standardSpec("a"), value: "whpk_cmFoYXNpYQ==", want: "CredentialMissing: the key a of the Secret 112 holds no ed25519 public key of 32 bytes"},
		"empty, of HMAC":      {spec: hmacSpec, want: "CredentialMissing: the key a of the Secret 112 is empty"},
		"empty, of a token":   {spec: bearerSpec, want: "CredentialMissing: the key a of the Secret 112 is empty"},
		"absent, of HMAC":     {spec: hmacSpec, absent: true, want: "CredentialMissing: the Secret 112 has no key a"},
		"absent, of a token":  {spec: bearerSpec, absent: true, want: "CredentialMissing: the Secret 112 has no key a"},
		"of a type unwritten": {spec: v1alpha1.WebhookVerification{}, want: "webhook.verification.type: must be one of StandardWebhooks, HMAC, Bearer and None, with the member of that name"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			secrets := map[string]string{"112/a": tt.value}
			if tt.absent {
				secrets = nil
			}
			settings := channeltest.Settings(v1alpha1.ChannelSource{}, channeltest.NewClock(monday), nil, secrets)
			_, err := newVerifier(&tt.spec, settings.Credential, settings.Now)
			if err == nil || err.Error() != tt.want {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
}

func TestToleranceIsTheSpecifications(t *testing.T) {
	spec := standardSpec("a")
	spec.StandardWebhooks.Tolerance = &metav1.Duration{Duration: time.Hour}
	v := verifierOf(t, spec, monday.Add(time.Hour), map[string]string{"112/a": secret})
	check(t, v.Verify(headers(sign(t, secret, "m", monday, "{}")...), []byte("{}")), "")
	if err := v.Verify(headers(sign(t, secret, "m", monday.Add(-time.Second), "{}")...), []byte("{}")); err == nil || err.Reason != ledgerapi.ReasonReplayed {
		t.Errorf("got %v", err)
	}
}

// FuzzVerify: nothing that is not signed is ever taken, and nothing makes the verification panic.
func FuzzVerify(f *testing.F) {
	standard := verifierOf(f, standardSpec("a"), monday, map[string]string{"112/a": secret})
	shapes := []push.Verifier{}
	for _, spec := range []v1alpha1.HMACVerification{
		{Header: "X-Sig", Prefix: "sha256="},
		{Header: "X-Sig", Encoding: "Base64", Algorithm: "SHA512"},
		{Header: "X-Sig", SignedContent: "{timestamp}.{body}", TimestampField: "t", SignatureField: "s"},
		{Header: "X-Sig", SignedContent: "{id}.{timestamp}.{body}", TimestampHeader: "webhook-timestamp", IDHeader: "webhook-id"},
	} {
		spec.SecretRefs = []v1alpha1.SecretKeyReference{ref("a")}
		shapes = append(shapes, verifierOf(f, v1alpha1.WebhookVerification{Type: v1alpha1.VerificationHMAC, HMAC: &spec}, monday, map[string]string{"112/a": secret}))
	}
	good := sign(f, secret, "msg_1", monday, "{}")
	f.Add("msg_1", good[3], good[5], "t=1793584800,s=00", []byte("{}"))
	f.Add("", "1793584800", "v1, v1a, v1,=", "sha256=zz", []byte{})
	f.Add("a.b", "99999999999999999999", "v1a,AAAA", "t==,s==,,", []byte("null"))
	f.Fuzz(func(t *testing.T, id, timestamp, signature, other string, body []byte) {
		h := http.Header{"Webhook-Id": {id}, "Webhook-Timestamp": {timestamp}, "Webhook-Signature": {signature}, "X-Sig": {other}}
		if err := standard.Verify(h, body); err == nil {
			again := sign(t, secret, id, monday, string(body))
			if id != "msg_1" || string(body) != "{}" || !strings.Contains(signature, again[5]) {
				t.Fatal("a forged delivery was taken")
			}
		}
		for _, v := range shapes {
			if err := v.Verify(h, body); err == nil {
				t.Fatal("a forged delivery was taken")
			}
		}
	})
}
