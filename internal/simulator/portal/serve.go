package portal

import (
	"crypto/subtle"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// maxPageSize is what the portal gives at most, whatever is asked for.
const maxPageSize = 200

// ServeHTTP serves POST /api/login and GET /api/pengaduan.
func (p *Portal) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch r.Method + " " + r.URL.Path {
	case "POST /api/login":
		p.login(w, r)
	case "GET /api/pengaduan":
		p.serveList(w, r)
	default:
		fail(w, http.StatusNotFound, "tidak ditemukan")
	}
}

func (p *Portal) login(w http.ResponseWriter, r *http.Request) {
	var credentials struct {
		Username string `json:"username"`
		Password string `json:"password"`
	}
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 4<<10)).Decode(&credentials); err != nil {
		fail(w, http.StatusBadRequest, "permintaan tidak dapat dibaca")
		return
	}
	if p.options.Username == "" || !same(credentials.Username, p.options.Username) || !same(credentials.Password, p.options.Password) {
		fail(w, http.StatusUnauthorized, "nama pengguna atau kata sandi salah")
		return
	}
	p.logins++
	token := fmt.Sprintf("token-%d", p.logins)
	p.tokens[token] = p.options.Now()
	answer(w, http.StatusOK, map[string]any{"success": true, "data": map[string]any{"token": token}})
}

func same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

func (p *Portal) serveList(w http.ResponseWriter, r *http.Request) {
	p.requests++
	if len(p.failures) > 0 {
		f := p.failures[0]
		p.failures = p.failures[1:]
		if f.retryAfter > 0 {
			w.Header().Set("Retry-After", strconv.Itoa(int(f.retryAfter.Seconds())))
		}
		fail(w, f.status, "gangguan sementara")
		return
	}
	if !p.authorized(r) {
		fail(w, http.StatusUnauthorized, "token tidak berlaku")
		return
	}
	query := r.URL.Query()
	since := time.Time{}
	if text := query.Get("diperbarui_sejak"); text != "" {
		var err error
		if since, err = time.Parse(time.RFC3339, text); err != nil {
			fail(w, http.StatusUnprocessableEntity, "diperbarui_sejak harus berupa waktu RFC 3339")
			return
		}
	}
	page := number(query.Get("halaman"), 1)
	size := min(number(query.Get("per_halaman"), p.options.PageSize), maxPageSize)
	found := p.list(since)
	data := []any{}
	for _, t := range found[min((page-1)*size, len(found)):min(page*size, len(found))] {
		data = append(data, p.ticketJSON(t))
	}
	answer(w, http.StatusOK, map[string]any{
		"success": true, "data": data, "halaman": page, "total": len(found), "total_halaman": (len(found) + size - 1) / size,
	})
}

// number is a positive number, or the other value.
func number(text string, other int) int {
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > 1e6 {
		return other
	}
	return n
}

func (p *Portal) authorized(r *http.Request) bool {
	if p.options.APIKey != "" {
		return same(r.Header.Get("X-API-Key"), p.options.APIKey)
	}
	token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	given, ok := p.tokens[token]
	return ok && (p.options.TokenLifetime == 0 || p.options.Now().Before(given.Add(p.options.TokenLifetime)))
}

// ticketJSON is a ticket in the portal's JSON.
func (p *Portal) ticketJSON(t *ticket) map[string]any {
	entries := []any{}
	for _, e := range t.entries {
		entries = append(entries, map[string]any{"id": e.id, "oleh": e.by, "peran": e.role, "isi": e.text, "waktu": p.time(e.at)})
	}
	written := map[string]any{
		"nomor": t.number, "judul": t.report.Title, "isi": t.report.Text, "kategori": t.report.Category, "status": t.status,
		"dibuat_pada": p.time(t.createdAt), "diperbarui_pada": p.time(t.updatedAt),
		"disposisi": nil, "tanggapan": entries, "pelapor": map[string]any{"telepon": t.report.Phone}, "lokasi": nil,
	}
	if t.department != "" {
		written["disposisi"] = map[string]any{"opd": t.department, "waktu": p.time(t.assignedAt)}
	}
	if t.report.Latitude != 0 || t.report.Longitude != 0 {
		written["lokasi"] = map[string]any{"lat": t.report.Latitude, "lon": t.report.Longitude}
	}
	return written
}

func (p *Portal) time(at time.Time) string {
	if p.options.LocalTimes {
		return at.In(p.options.Zone).Format("2006-01-02 15:04:05.999999")
	}
	return at.In(p.options.Zone).Format(time.RFC3339Nano)
}

func fail(w http.ResponseWriter, status int, message string) {
	answer(w, status, map[string]any{"success": false, "pesan": message})
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	// A client that has gone away need not be told anything.
	_ = json.NewEncoder(w).Encode(body) //nolint:errchkjson // see above
}
