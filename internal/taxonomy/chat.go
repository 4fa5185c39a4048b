package taxonomy

// chatWord is a spelling of everyday messages and the words it stands for.
type chatWord struct{ chat, standard string }

// chatWords are the spellings that no rule finds: abbreviations of three letters and fewer, changed
// vowels, and words run together. Each stands for one thing in a complaint; what stands for several (kl,
// mtr, smp) is left out. What only drops vowels of a longer word (bnjr, smpah, lmpu) is found by
// unpronounceable, for every keyword and without being listed.
//
//nolint:misspell // Indonesian
func chatWords() []chatWord {
	return []chatWord{
		// The words of complaints.
		{"jln", "jalan"}, {"jl", "jalan"}, {"jlanan", "jalanan"}, {"mct", "macet"}, {"phn", "pohon"},
		{"pohn", "pohon"}, {"rsk", "rusak"}, {"rusk", "rusak"}, {"lbg", "lubang"}, {"lobang", "lubang"},
		{"berlobang", "berlubang"}, {"bolong", "berlubang"},
		{"lmp", "lampu"}, {"slokan", "selokan"}, {"lalin", "lalu lintas"},
		{"lalulintas", "lalu lintas"}, {"trafik", "lalu lintas"}, {"drainasi", "drainase"}, {"trotoir", "trotoar"},
		{"kbakaran", "kebakaran"}, {"kebakarn", "kebakaran"}, {"tlp", "telepon"},
		{"telpon", "telepon"}, {"telp", "telepon"}, {"rmh", "rumah"}, {"mbl", "mobil"}, {"mtor", "motor"},
		{"klrhn", "kelurahan"}, {"kel", "kelurahan"}, {"kec", "kecamatan"}, {"prempatan", "perempatan"},
		{"dket", "dekat"}, {"deket", "dekat"}, {"dkt", "dekat"}, {"dpn", "depan"}, {"blkng", "belakang"},
		{"blkg", "belakang"}, {"sblh", "sebelah"}, {"pinggr", "pinggir"}, {"tgh", "tengah"},
		// No, not yet, already.
		{"gak", "tidak"}, {"gk", "tidak"}, {"ga", "tidak"}, {"gag", "tidak"}, {"nggak", "tidak"}, {"ngga", "tidak"},
		{"ngak", "tidak"}, {"enggak", "tidak"}, {"engga", "tidak"}, {"kagak", "tidak"}, {"kaga", "tidak"},
		{"ndak", "tidak"}, {"tdk", "tidak"}, {"tak", "tidak"}, {"blm", "belum"}, {"blum", "belum"}, {"blom", "belum"},
		{"belom", "belum"}, {"sdh", "sudah"}, {"udh", "sudah"}, {"udah", "sudah"}, {"dah", "sudah"}, {"sdah", "sudah"},
		{"bkn", "bukan"}, {"jgn", "jangan"}, {"jng", "jangan"},
		// Who, where, when, why, how.
		{"dmn", "di mana"}, {"dmna", "di mana"}, {"dimana", "di mana"}, {"kmn", "ke mana"}, {"kmna", "ke mana"},
		{"kemana", "ke mana"}, {"kpn", "kapan"}, {"knp", "kenapa"}, {"knapa", "kenapa"}, {"napa", "kenapa"},
		{"gmn", "bagaimana"}, {"gmna", "bagaimana"}, {"gimana", "bagaimana"}, {"bgmn", "bagaimana"},
		{"org", "orang"}, {"orng", "orang"}, {"sy", "saya"}, {"sya", "saya"}, {"kmi", "kami"}, {"kt", "kita"},
		{"bpk", "bapak"}, {"bp", "bapak"},
		// The small words that phrases are made with.
		{"yg", "yang"}, {"yng", "yang"}, {"dgn", "dengan"}, {"dg", "dengan"}, {"utk", "untuk"}, {"utuk", "untuk"},
		{"dr", "dari"}, {"dri", "dari"}, {"pd", "pada"}, {"krn", "karena"}, {"karna", "karena"}, {"krna", "karena"},
		{"klo", "kalau"}, {"kalo", "kalau"}, {"klu", "kalau"}, {"tp", "tapi"}, {"tpi", "tapi"}, {"jg", "juga"},
		{"jga", "juga"}, {"lg", "lagi"}, {"lgi", "lagi"}, {"aj", "saja"}, {"aja", "saja"}, {"sja", "saja"},
		{"bs", "bisa"}, {"bsa", "bisa"}, {"trs", "terus"}, {"trus", "terus"}, {"sampe", "sampai"}, {"ampe", "sampai"},
		{"smpe", "sampai"}, {"smpai", "sampai"}, {"bgt", "banget"}, {"bngt", "banget"},
		{"bnyk", "banyak"}, {"byk", "banyak"}, {"bbrp", "beberapa"}, {"sgt", "sangat"}, {"msh", "masih"},
		{"msih", "masih"}, {"ato", "atau"}, {"atw", "atau"}, {"spt", "seperti"}, {"sprti", "seperti"},
		{"kyk", "seperti"}, {"kayak", "seperti"}, {"bkin", "bikin"}, {"bwt", "buat"}, {"lwt", "lewat"},
		// Times, and asking.
		{"skrg", "sekarang"}, {"skrng", "sekarang"}, {"skg", "sekarang"}, {"kmrn", "kemarin"}, {"kmrin", "kemarin"},
		{"kemaren", "kemarin"}, {"bsk", "besok"}, {"bln", "bulan"}, {"thn", "tahun"}, {"th", "tahun"},
		{"mgg", "minggu"}, {"tgl", "tanggal"}, {"mlm", "malam"}, {"malem", "malam"}, {"pgi", "pagi"}, {"tlg", "tolong"},
		{"tlng", "tolong"}, {"tlong", "tolong"}, {"mhn", "mohon"}, {"mhon", "mohon"}, {"dtg", "datang"},
		{"dtng", "datang"}, {"trims", "terima kasih"}, {"makasih", "terima kasih"}, {"mksh", "terima kasih"},
		{"terimakasih", "terima kasih"}, {"tks", "terima kasih"},
	}
}
