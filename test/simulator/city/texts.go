package city

// sample is what somebody complains about.
type sample struct{ title, text, category, department string }

// samples are complaints as people in Depok write them, some with the source's category and some
// without, so that the taxonomy has something to find.
func samples() []sample {
	return []sample{
		{"Banjir di Jalan Margonda", "Setiap hujan deras bnjr setinggi lutut, drainase tersumbat sampaah. Mohon segera ditangani.", "", "DPUPR"},
		{"Pohon tumbang menutup jalan", "Pohon besar tumbang di Jl. Juanda dari semalam, blm ada yang datang.", "Pohon", "DLHK"},
		{"Sampah menumpuk di TPS", "Sudah dua minggu sampah di TPS dekat pasar gk diangkut, bau busuk sekali.", "Sampah", "DLHK"},
		{"Macet parah di Dewi Sartika", "Tiap pagi macet total karena parkir liar dan lampu merah mati.", "Lalu Lintas", "Dishub"},
		{"Jalan berlubang", "Jalan rusak dan berlubang di Sawangan, sudah ada yang jatuh.", "", "DPUPR"},
		{"PJU mati", "Lampu jalan di gang kami padam sebulan, rawan kejahatan.", "PJU", "Dishub"},
		{"Pedagang menutup trotoar", "PKL memenuhi trotoar depan stasiun, pejalan kaki turun ke jalan.", "", "Satpol PP"},
		{"Genangan depan sekolah", "Genangan air di depan SD setiap hujan, gorong-gorong mampet.", "Drainase", "DPUPR"},
		{"Dahan hampir patah", "Dahan pohon besar menggantung di atas kabel, takut menimpa orang.", "", "DLHK"},
		{"Sampah di kali", "Orang buang sembarangan ke kali Ciliwung, airnya hitam.", "", "DLHK"},
	}
}

// emergencies are calls to 112.
func emergencies() []sample {
	return []sample{
		{"", "Kebakaran rumah di Beji, asap tebal", "Kebakaran", ""},
		{"", "Pohon tumbang menimpa mobil, ada korban", "Pohon Tumbang", ""},
		{"", "Banjir masuk rumah, lansia terjebak", "Banjir", ""},
	}
}
