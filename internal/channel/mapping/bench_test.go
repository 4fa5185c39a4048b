package mapping

import (
	"strings"
	"testing"
)

// BenchmarkDecode reads a complaint as a portal sends it, some 700 bytes.
func BenchmarkDecode(b *testing.B) {
	body := []byte(`{"id":"DSW-2026-000000001","at":"2026-11-02T10:00:00.123456789+07:00","phone":"080000000001",` +
		`"address":"Jalan Margonda Raya No. 100, Depok","location":{"lat":-6.3728,"lon":106.8317},` +
		`"photo":"https://foto.example.org/pengaduan/2026/11/000000001.jpg","source":"android","priority":3,"urgent":false,"closed_at":null,` +
		`"text":"` + strings.Repeat("Selamat pagi, di depan rumah saya banjir. ", 10) + `"}`)
	b.ReportAllocs()
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		if _, err := Decode(body); err != nil {
			b.Fatal(err)
		}
	}
}
