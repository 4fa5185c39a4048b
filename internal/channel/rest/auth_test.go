package rest

import (
	"encoding/base64"
	"encoding/json"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"crypto/x509"
	"encoding/pem"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/tanggap/tanggap/api/v1alpha1"
	"github.com/tanggap/tanggap/internal/channel"
	"github.com/tanggap/tanggap/internal/channel/channeltest"
	"github.com/tanggap/tanggap/internal/ledger/ledgerapi"
	"github.com/tanggap/tanggap/internal/simulator/portal"
)

func key(name string) v1alpha1.SecretKeyReference {
	return v1alpha1.SecretKeyReference{Name: "dsw", Key: name}
}

func TestCredentialsAreSentAsTheSourceWantsThem(t *testing.T) {
	tests := map[string]struct {
		auth   v1alpha1.HTTPAuth
		header string
		want   string
		query  string
	}{
		"Basic": {
			auth:   v1alpha1.HTTPAuth{Type: "Basic", Basic: &v1alpha1.BasicAuth{UsernameSecretRef: key("username"), PasswordSecretRef: key("password")}},
			header: "Authorization", want: "Basic " + base64.StdEncoding.EncodeToString([]byte("tanggap:rahasia")),
		},
		"Bearer": {
			auth:   v1alpha1.HTTPAuth{Type: "Bearer", Bearer: &v1alpha1.BearerAuth{TokenSecretRef: key("key")}},
			header: "Authorization", want: "Bearer kunci",
		},
		"a key in a header": {
			auth:   v1alpha1.HTTPAuth{Type: "APIKey", APIKey: &v1alpha1.APIKeyAuth{Header: "X-Api-Key", Prefix: "Token ", KeySecretRef: key("key")}},
			header: "X-Api-Key", want: "Token kunci",
		},
		"a key in the query": {
			auth:  v1alpha1.HTTPAuth{Type: "APIKey", APIKey: &v1alpha1.APIKeyAuth{QueryParameter: "api_key", KeySecretRef: key("key")}},
			query: "api_key=kunci",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			spec := plainSpec()
			spec.Auth = &tt.auth
			r := newRig(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if tt.header != "" && r.Header.Get(tt.header) != tt.want || r.URL.RawQuery != tt.query {
					w.WriteHeader(http.StatusUnauthorized)
					return
				}
				write(w, []any{})
			}), spec)
			r.mustPoll()
		})
	}
}

func TestCredentialsThatAreMissingAreNamed(t *testing.T) {
	for name, value := range map[string]string{"absent": "", "with a line break within": "a\nb"} {
		t.Run(name, func(t *testing.T) {
			secrets := map[string]string{}
			if value != "" {
				secrets["dsw/key"] = value
			}
			spec := plainSpec()
			spec.Auth = &v1alpha1.HTTPAuth{Type: "Bearer", Bearer: &v1alpha1.BearerAuth{TokenSecretRef: key("key")}}
			_, err := newType(t).Open(channeltest.Settings(v1alpha1.ChannelSource{Type: v1alpha1.SourceREST, REST: spec}, channeltest.NewClock(monday), &http.Transport{}, secrets))
			if reasonOf(t, err) != ledgerapi.ReasonCredentialMissing || strings.Contains(err.Error(), "\n") {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestLogin(t *testing.T) {
	clock := channeltest.NewClock(monday)
	city := portal.New(portal.Options{Username: "tanggap", Password: "rahasia", TokenLifetime: 3 * time.Hour, Now: clock.Now})
	spec := load(t, "testdata/portal.yaml")
	spec.Auth.Login.Lifetime = &metav1.Duration{Duration: 2 * time.Hour}
	r := newRig(t, city, spec)
	logins := func(want int) {
		t.Helper()
		if got := city.Logins(); got != want {
			t.Fatalf("got %d logins, want %d", got, want)
		}
	}
	r.mustPoll()
	r.mustPoll()
	logins(1)
	city.Revoke()
	r.mustPoll()
	logins(2) // at once, within the same poll
	r.clock.Advance(2 * time.Hour)
	r.mustPoll()
	logins(3) // before the source says that the token has expired
	city.Fail(1, http.StatusUnauthorized, 0)
	r.mustPoll()
	logins(4)
	city.Fail(3, http.StatusUnauthorized, 0)
	if err := r.poll(); reasonOf(t, err) != ledgerapi.ReasonUnauthorized {
		t.Errorf("got %v", err)
	}
	logins(5) // only once, however often it is refused
}

func TestLoginThatIsRefused(t *testing.T) {
	tests := map[string]struct {
		handler http.HandlerFunc
		want    string
		reason  ledgerapi.Reason
	}{
		"by its status": {
			func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) },
			"Unauthorized: auth.login: the source refused the credentials (401)", "Unauthorized",
		},
		"by an answer without a token": {
			func(w http.ResponseWriter, _ *http.Request) {
				write(w, map[string]any{"success": false, "pesan": "rahasia"})
			},
			"Unauthorized: auth.login.token finds no token in the answer to the login: line 1, column 14: the field does not exist in this input", "Unauthorized",
		},
		"by an empty token": {
			func(w http.ResponseWriter, _ *http.Request) {
				write(w, map[string]any{"data": map[string]any{"token": ""}})
			},
			"Unauthorized: auth.login.token finds no token in the answer to the login", "Unauthorized",
		},
		"by a web page": {
			func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>")) },
			"InvalidResponse: auth.login: the answer is not JSON at byte 1", "InvalidResponse",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			logins := 0
			r := newRig(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path != "/api/login" {
					t.Error("the list was asked for without a token")
				}
				var sent map[string]string
				if err := json.NewDecoder(r.Body).Decode(&sent); err != nil || sent["username"] != "tanggap" || sent["password"] != "rahasia" {
					t.Error("the credentials were not sent as JSON")
				}
				logins++
				tt.handler(w, r)
			}), load(t, "testdata/portal.yaml"))
			if err := r.poll(); err == nil || err.Error() != tt.want {
				t.Errorf("got %v, want %s", err, tt.want)
			}
			if logins != 1 {
				t.Errorf("tried %d times", logins)
			}
		})
	}
}

func oauth2Spec() *v1alpha1.RESTSource {
	spec := plainSpec()
	spec.Auth = &v1alpha1.HTTPAuth{Type: "OAuth2", OAuth2: &v1alpha1.OAuth2Auth{
		TokenURL: "http://127.0.0.1/token", ClientIDSecretRef: key("username"), ClientSecretSecretRef: key("password"), Scopes: []string{"baca", "daftar"},
	}}
	return spec
}

func TestOAuth2(t *testing.T) {
	granted := 0
	r := newRig(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/token" {
			user, password, _ := r.BasicAuth()
			if r.FormValue("grant_type") != "client_credentials" || r.FormValue("scope") != "baca daftar" || user != "tanggap" || password != "rahasia" {
				t.Errorf("the grant was asked for with %v", r.Form)
			}
			granted++
			write(w, map[string]any{"access_token": "token-" + string(rune('0'+granted)), "token_type": "Bearer", "expires_in": "600"})
			return
		}
		if r.Header.Get("Authorization") != "Bearer token-"+string(rune('0'+granted)) {
			t.Errorf("got %s", r.Header.Get("Authorization"))
		}
		write(w, []any{})
	}), oauth2Spec())
	r.mustPoll()
	r.clock.Advance(9 * time.Minute)
	r.mustPoll()
	if granted != 1 {
		t.Errorf("%d tokens within the lifetime of one", granted)
	}
	r.clock.Advance(31 * time.Second) // 29 s before its end
	r.mustPoll()
	if granted != 2 {
		t.Errorf("the token was not replaced before its end")
	}
}

func TestOAuth2ThatIsRefused(t *testing.T) {
	tests := map[string]struct {
		status int
		body   string
		want   string
	}{
		"the client":       {400, `{"error":"invalid_client","error_description":"rahasia"}`, "Unauthorized: auth.oauth2: the authorization server refused the client"},
		"the scope":        {400, `{"error":"invalid_scope","error_description":"rahasia"}`, "Unauthorized: auth.oauth2: the authorization server refused the scopes"},
		"without a reason": {403, `rahasia`, "Unauthorized: auth.oauth2: the source refused the credentials (403)"},
		"for now":          {503, `rahasia`, "ServerError: auth.oauth2: the source failed (503)"},
		"with a success":   {200, `{"rahasia":1}`, "InvalidResponse: auth.oauth2: the answer holds no token"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path != "/token" {
					t.Error("the list was asked for without a token")
				}
				w.Header().Set("Content-Type", "application/json")
				w.WriteHeader(tt.status)
				_, _ = w.Write([]byte(tt.body))
			}), oauth2Spec())
			if err := r.poll(); err == nil || err.Error() != tt.want {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
}

func TestCertificatesOfOnesOwn(t *testing.T) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { write(w, []any{}) }))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	t.Cleanup(server.Close)
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	other := x509.Certificate{Raw: server.Certificate().Raw[:100]}
	open := func(secret *v1alpha1.SecretKeyReference, value []byte) (channel.Source, error) {
		spec := plainSpec()
		spec.URL = v1alpha1.HTTPURL(server.URL)
		spec.CASecretRef = secret
		return newType(t).Open(channeltest.Settings(v1alpha1.ChannelSource{Type: v1alpha1.SourceREST, REST: spec}, channeltest.NewClock(monday),
			&http.Transport{}, map[string]string{"dsw/ca.crt": string(value)}))
	}
	ref := key("ca.crt")

	source, err := open(&ref, ca)
	must(t, err)
	must(t, source.(channel.Poller).Poll(t.Context(), nil, &channeltest.Ledger{}))
	must(t, source.Close())

	source, err = open(nil, nil)
	must(t, err)
	err = source.(channel.Poller).Poll(t.Context(), nil, &channeltest.Ledger{})
	if reasonOf(t, err) != ledgerapi.ReasonUnreachable || !strings.HasSuffix(err.Error(), "its certificate is signed by an unknown authority; set caSecretRef to the authority's certificate") {
		t.Errorf("got %v", err)
	}
	if _, err = open(&ref, other.Raw); reasonOf(t, err) != ledgerapi.ReasonCredentialMissing {
		t.Errorf("got %v", err)
	}
}

// TestAKeyInALinkIsNotStored has a source whose links repeat the query that it was asked with, as many frameworks do.
func TestAKeyInALinkIsNotStored(t *testing.T) {
	spec := plainSpec()
	spec.Auth = &v1alpha1.HTTPAuth{Type: "APIKey", APIKey: &v1alpha1.APIKeyAuth{QueryParameter: "api_key", KeySecretRef: key("key")}}
	spec.Pagination = &v1alpha1.Pagination{Type: "Link"}
	fails := true
	r := newRig(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch query := r.URL.Query(); {
		case query.Get("api_key") != "kunci":
			w.WriteHeader(http.StatusUnauthorized)
		case query.Get("page") == "":
			query.Set("page", "2")
			write(w, map[string]any{"data": []any{map[string]any{"id": "A"}}, "next": "/items?" + query.Encode()})
		case fails:
			w.WriteHeader(http.StatusBadGateway)
		default:
			write(w, map[string]any{"data": []any{map[string]any{"id": "B"}}})
		}
	}), spec)
	if err := r.poll(); reasonOf(t, err) != ledgerapi.ReasonServerError {
		t.Fatalf("got %v", err)
	}
	if cursor := string(r.ledger.Cursor()); !strings.Contains(cursor, "page=2") || strings.Contains(cursor, "kunci") {
		t.Errorf("the position is %s", cursor)
	}
	fails = false
	r.mustPoll()
	if got := r.ledger.IDs(); len(got) != 2 {
		t.Errorf("got %v", got)
	}
}
