package whatsapp

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"sync"
)

// Graph is the simulated Cloud API that messages are sent by. It is an http.Handler and safe for concurrent
// use. https://developers.facebook.com/docs/whatsapp/cloud-api/reference/messages
type Graph struct {
	// Token is the access token that it wants, AppSecret what it wants proof of, PhoneNumberID the number that it
	// sends from.
	Token, AppSecret, PhoneNumberID string

	mu     sync.Mutex
	sent   []Outgoing
	fail   []int
	closed map[string]bool
}

// Outgoing is a message that the city sent.
type Outgoing struct {
	ID string
	// To is a number, Recipient the id of somebody who hides it.
	To, Recipient string
	// Text is that of the message, or the parameter of the template named Template.
	Text, Template, Language string
	// CallbackData is what the message's statuses bring back.
	CallbackData string
}

// Sent are the messages that were sent.
func (g *Graph) Sent() []Outgoing {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Clone(g.sent)
}

// Fail lets the next requests be answered with these statuses; 0 is none.
func (g *Graph) Fail(statuses ...int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.fail = append(g.fail, statuses...)
}

// CloseWindow has 24 hours pass since a person last wrote.
func (g *Graph) CloseWindow(person string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed == nil {
		g.closed = map[string]bool{}
	}
	g.closed[person] = true
}

// ServeHTTP implements http.Handler.
func (g *Graph) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	g.mu.Lock()
	defer g.mu.Unlock()
	w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	if len(g.fail) > 0 {
		status := g.fail[0]
		g.fail = g.fail[1:]
		if status != 0 {
			graphError(w, status, 1)
			return
		}
	}
	switch {
	case r.Header.Get("Authorization") != "Bearer "+g.Token:
		graphError(w, http.StatusUnauthorized, 190)
		return
	case !Proven(r, g.Token, g.AppSecret):
		w.WriteHeader(http.StatusBadRequest)
		_ = json.NewEncoder(w).Encode(Unproven()) // the client went away: nobody is left to tell
		return
	case r.Method != http.MethodPost || !strings.HasSuffix(r.URL.Path, "/"+g.PhoneNumberID+"/messages"):
		graphError(w, http.StatusBadRequest, 100)
		return
	}
	var in struct {
		Product       string `json:"messaging_product"`
		RecipientType string `json:"recipient_type"`
		To            string `json:"to"`
		Recipient     string `json:"recipient"`
		Type          string `json:"type"`
		Text          struct {
			Body string `json:"body"`
		} `json:"text"`
		Template struct {
			Name     string `json:"name"`
			Language struct {
				Code string `json:"code"`
			} `json:"language"`
			Components []struct {
				Type       string `json:"type"`
				Parameters []struct {
					Type, Text string
				} `json:"parameters"`
			} `json:"components"`
		} `json:"template"`
		CallbackData string `json:"biz_opaque_callback_data"`
	}
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil || in.Product != "whatsapp" || in.RecipientType != "individual" ||
		in.To == "" && in.Recipient == "" || strings.Trim(in.To, "0123456789") != "" {
		graphError(w, http.StatusBadRequest, 100)
		return
	}
	out := Outgoing{ID: NewID(in.To + in.Recipient), To: in.To, Recipient: in.Recipient, CallbackData: in.CallbackData}
	switch {
	case in.Type == "text" && in.Text.Body != "" && !g.closed[in.To]:
		out.Text = in.Text.Body
	case in.Type == "text" && g.closed[in.To]:
		graphError(w, http.StatusBadRequest, 131047)
		return
	case in.Type == "template" && len(in.Template.Components) == 1 && len(in.Template.Components[0].Parameters) == 1:
		out.Template, out.Language, out.Text = in.Template.Name, in.Template.Language.Code, in.Template.Components[0].Parameters[0].Text
	default:
		graphError(w, http.StatusBadRequest, 100)
		return
	}
	g.sent = append(g.sent, out)
	_ = json.NewEncoder(w).Encode(map[string]any{
		"messaging_product": "whatsapp", "contacts": []any{map[string]any{"input": in.To, "wa_id": in.To}},
		"messages": []any{map[string]any{"id": out.ID}},
	})
}

// graphError is an error of the Graph API, with the words of a citizen in it.
func graphError(w http.ResponseWriter, status, code int) {
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"error": map[string]any{
		"message": "(#" + http.StatusText(status) + ") banjir", "type": "OAuthException", "code": code, "fbtrace_id": "A1b2",
	}})
}

// Unproven is what Meta answers, with 400, to a request without the right proof.
func Unproven() map[string]any {
	return map[string]any{"error": map[string]any{
		"message": "Invalid appsecret_proof provided in the API argument", "type": "GraphMethodException", "code": 100, "fbtrace_id": "A0",
	}}
}
