package load

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"strconv"
	"sync/atomic"
	"time"
)

// texts are what citizens write, some 450 bytes each.
var texts = [...]string{
	"Selamat pagi Bapak/Ibu, mohon bantuannya. Di depan rumah saya banjir setinggi lutut sejak subuh karena gorong-gorong tersumbat dan " +
		"sampai sekarang belum ada petugas yang datang. Air sudah masuk ke beberapa rumah, ada warga lanjut usia yang sulit keluar. Genangan seperti " +
		"ini sudah tiga kali terjadi bulan ini. Kami sudah melapor ke kelurahan namun diminta menunggu. Mohon segera ditindaklanjuti, terima kasih banyak.",
	"Tumpukan sampah di ujung jalan kami tidak diangkut hampir dua minggu. Baunya sudah sangat mengganggu dan banyak lalat sampai ke dalam rumah. " +
		"Setiap hari ada yang menambah buang sembarangan karena dikira tempat pembuangan. Anak-anak lewat situ waktu berangkat sekolah. Mohon dinas " +
		"terkait mengangkutnya dan memasang papan larangan, serta jadwal pengangkutan disampaikan kepada warga supaya tidak terulang lagi.",
	"Perempatan ini macet parah setiap sore antara pukul empat sampai tujuh. Lampu lalu lintas mati sejak hari Senin dan tidak ada petugas yang " +
		"mengatur. Angkot berhenti sembarangan di mulut jalan sehingga antrean sampai satu kilometer. Tadi ambulans tertahan hampir sepuluh menit. " +
		"Mohon lampunya diperbaiki dan ditempatkan petugas pada jam sibuk sampai keadaan normal kembali. Terima kasih atas perhatiannya.",
	"Pohon besar di pinggir jalan miring setelah hujan angin semalam dan dahan yang patah menimpa kabel listrik. Warga takut pohon itu tumbang ke " +
		"arah warung dan jalan yang ramai dilewati sepeda motor. Batang yang ditebang bulan lalu juga masih menumpuk di trotoar sehingga pejalan kaki " +
		"harus turun ke jalan. Mohon segera dipangkas dan dibersihkan sebelum ada korban, kami siap membantu mengatur arus lalu lintas.",
}

// Deliveries makes signed complaints whose identifiers never repeat. It is safe for concurrent use.
type Deliveries struct {
	prefix string
	secret []byte
	header string
	serial atomic.Int64
}

// NewDeliveries makes complaints with identifiers that begin with prefix, signed into the header.
func NewDeliveries(prefix, header, secret string) *Deliveries {
	return &Deliveries{prefix: prefix, header: header, secret: []byte(secret)}
}

// Source is a Source of its own.
func (d *Deliveries) Source() Source {
	mac := hmac.New(sha256.New, d.secret)
	var body, value []byte
	return func() ([]byte, string, string) {
		body = d.appendBody(body[:0], d.serial.Add(1))
		value = d.sign(value[:0], mac, body)
		return body, d.header, string(value)
	}
}

func (d *Deliveries) appendBody(b []byte, n int64) []byte {
	b = append(append(b, `{"id":"`...), d.prefix...)
	b = appendPadded(b, n, 9)
	b = append(b, `","at":"`...)
	b = time.Now().UTC().AppendFormat(b, time.RFC3339Nano)
	b = append(b, `","phone":"08`...)
	b = appendPadded(b, n, 10)
	b = append(b, `","address":"Jalan Margonda Raya No. `...)
	b = strconv.AppendInt(b, n%400, 10)
	b = append(b, `, Depok","location":{"lat":-6.3`...)
	b = appendPadded(b, n%10000, 4)
	b = append(b, `,"lon":106.8`...)
	b = appendPadded(b, n/7%10000, 4)
	b = append(b, `},"photo":"https://foto.example.org/pengaduan/2026/11/`...)
	b = append(appendPadded(b, n, 9), `.jpg","source":"android","text":"`...)
	b = append(b, texts[n%int64(len(texts))]...)
	return append(b, `"}`...)
}

func appendPadded(b []byte, n int64, width int) []byte {
	for limit := int64(10); width > 1; width-- {
		if n < limit {
			for range width - 1 {
				b = append(b, '0')
			}
			break
		}
		limit *= 10
	}
	return strconv.AppendInt(b, n, 10)
}

func (d *Deliveries) sign(b []byte, mac hash.Hash, body []byte) []byte {
	mac.Reset()
	mac.Write(body)
	var sum [sha256.Size]byte
	b = append(b, "sha256="...)
	return hex.AppendEncode(b, mac.Sum(sum[:0]))
}
