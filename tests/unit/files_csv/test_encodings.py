"""Files of many countries, in the encodings of their offices: read as they were written, without being told."""

from __future__ import annotations

import pytest

from headgate.connectors.files import encoding as enc

WORDS = {
    "Polish": "Małgorzata Wójcik;ul. Świętokrzyska 5;Łódź|Paweł Dąbrowski;ul. Źródlana 12;Gdańsk|Żaneta Król;Częstochowska 3;Kraków",
    "Czech": "Jiří Dvořák;Náměstí Míru 3;Plzeň|Růžena Černá;Dlouhá třída 8;České Budějovice|Tomáš Němec;Šumavská 1;Ústí nad Labem",
    "Slovak": "Ľubomír Kováč;Hviezdoslavovo námestie 2;Košice|Žofia Horváthová;Štúrova 8;Žilina|Juraj Ťažký;Mäsiarska 4;Trenčín",
    "Hungarian": "Szűcs Gergő;Petőfi Sándor utca 4;Győr|Kőszegi Éva;Erzsébet körút 11;Székesfehérvár|Tóth Ágnes;Fő út 2;Kecskemét",
    "Croatian": "Željko Đurić;Trg bana Jelačića 1;Šibenik|Anđela Čović;Vukovarska ulica 6;Požega|Mladen Špoljarić;Ulica kneza 4;Čakovec",
    "Romanian": "Ştefan Ionescu;Strada Mihai Viteazul 4;Iaşi|Ţepeş Mădălina;Bulevardul Unirii 7;Târgu Mureş|Băsescu Cătălin;Piaţa Mare 2;Braşov",
    "Turkish": "Çağrı Yıldız;Atatürk Caddesi 5;İstanbul|Şeyma Öztürk;Gazi Sokağı 3;Eskişehir|Işıl Güneş;Bağdat Caddesi 8;Diyarbakır",
    "Greek": "Γιώργος Παπαδόπουλος;Οδός Ερμού 5;Αθήνα|Ελένη Νικολάου;Λεωφόρος Νίκης 3;Θεσσαλονίκη",
    "Lithuanian": "Žydrūnas Kazlauskas;Gedimino g. 5;Šiauliai|Rūta Jankauskienė;Laisvės al. 8;Panevėžys|Ąžuolas Žukas;Vilniaus gatvė 3;Klaipėda",
    "Latvian": "Jānis Bērziņš;Brīvības iela 5;Rīga|Līga Kalniņa;Dzirnavu iela 3;Jūrmala|Ģirts Šķēle;Lāčplēša iela 2;Rēzekne",
    "Russian": "Сергей Кузнецов;ул. Ленина 5;Екатеринбург|Ольга Щербакова;Невский проспект 3;Санкт-Петербург",
    "Ukrainian": "Олександр Шевченко;вул. Хрещатик 5;Київ|Їжакевич Ганна;площа Єдності 3;Запоріжжя|Ґудзь Микола;вул. Січових Стрільців 2;Львів",
    "Bulgarian": "Георги Димитров;ул. Витоша 5;София|Цветелина Ангелова;бул. България 3;Пловдив",
    "Hebrew": "משה כהן;רחוב הרצל 5;תל אביב|שרה לוי;שדרות רוטשילד 3;ירושלים",
    "Arabic": "محمد عبد الله;شارع الملك فهد 5;الرياض|فاطمة الزهراء;شارع النيل 3;القاهرة",
    "Thai": "สมชาย ใจดี;ถนนสุขุมวิท 5;กรุงเทพ|สุดา แก้วมณี;ถนนพระราม 3;เชียงใหม่",
    "Japanese": "田中さくら;港区芝公園;東京都|スズキタロウ;中央区;大阪市",
    "Korean": "김철수;강남구 테헤란로;서울|이영희;해운대구;부산",
    "Chinese": "张伟;朝阳区建国路;北京市|王芳;浦东新区;上海市",
    "Taiwanese": "陳怡君;信義路五段;臺北市|林志明;中山區;高雄市",
    "German": "Jürgen Großmann;Königstraße 5;Köln|Käthe Weiß;Am Bäckerbühl 3;Düsseldorf",
    "French": "Hélène Lefèvre;Rue de l'Église 5;Orléans|François Benoît;Allée des Chênes 3;Besançon",
    "Spanish": "María Muñoz;Calle de Alcalá 5;Málaga|Ángel Núñez;Avenida de América 3;León",
    "Danish": "Søren Kjær;Nørregade 5;Århus|Åse Østergård;Strandvænget 3;Køge",
    "Icelandic": "Þórður Ægisson;Laugavegur 5;Ísafjörður|Guðrún Þórsdóttir;Bæjargata 3;Akureyri",
}  # fmt: skip
ENCODINGS = {
    ("cp1250", "iso8859-2", "cp852"): ("Polish", "Czech", "Slovak", "Hungarian", "Croatian", "Romanian"),
    ("cp1254", "iso8859-9", "cp857"): ("Turkish",),
    ("cp1253", "iso8859-7", "cp737"): ("Greek",),
    ("cp1257", "iso8859-13", "cp775"): ("Lithuanian", "Latvian"),
    ("cp1251", "koi8-r", "cp866", "iso8859-5"): ("Russian", "Bulgarian"),
    ("cp1251", "koi8-u", "cp1125"): ("Ukrainian",),
    ("cp1255", "iso8859-8", "cp862"): ("Hebrew",),
    ("cp1256", "iso8859-6"): ("Arabic",),
    ("cp874",): ("Thai",),
    ("cp932", "euc-jp"): ("Japanese",),
    ("cp949",): ("Korean",),
    ("gb18030",): ("Chinese",),
    ("big5",): ("Taiwanese",),
    ("cp1252", "iso8859-15", "mac-roman", "cp850"): ("German", "French", "Spanish", "Danish"),
    ("cp1252", "cp850"): ("Icelandic",),
}
CASES = [(w, e) for encodings, languages in ENCODINGS.items() for w in languages for e in encodings]


def table(language: str) -> str:
    rows = "".join(f"{n};{row};{n},50\r\n" for n, row in enumerate(WORDS[language].split("|")))
    return "id;name;street;city;price\r\n" + rows


def found(text: str, encoding: str) -> tuple[str, enc.Encoding]:
    data = text.encode(encoding)
    told = enc.find(data, [], None)
    return data.decode(told.name), told


@pytest.mark.parametrize(("language", "encoding"), CASES)
def test_names_and_streets_of_a_country(language: str, encoding: str) -> None:
    text = table(language)
    assert found(text, encoding)[0] == text


@pytest.mark.parametrize("language", ["Polish", "Turkish", "Greek", "Russian", "German", "Spanish"])
def test_capitals_only(language: str) -> None:
    encoding = next(e[0] for e, languages in ENCODINGS.items() if language in languages)
    text = table(language).upper()
    assert found(text, encoding)[0] == text


@pytest.mark.parametrize(
    "language", ["Polish", "Czech", "Hungarian", "Turkish", "Greek", "Russian", "Arabic", "German", "French"]
)
def test_what_many_letters_tell_is_no_guess(language: str) -> None:
    encoding = next(e[0] for e, languages in ENCODINGS.items() if language in languages)
    text, told = found(table(language), encoding)
    assert (text, told.warnings) == (table(language), [])


@pytest.mark.parametrize(
    "text",
    ["naïve", "jalapeño", "Müller & Söhne", "crème brûlée", "São Paulo", "Malmö", "smørrebrød", "Città", "20 °C", "10 µm", "£5", "don’t", "¿Qué?"],
)  # fmt: skip
def test_a_single_word_among_english_ones_is_western(text: str) -> None:
    whole = f"id;item;price\n1;chair;2.50\n2;{text};3\n3;table;7\n"
    assert found(whole, "cp1252")[0] == whole


def test_a_letter_that_could_be_of_several_encodings_is_a_guess() -> None:
    _, told = found("id;name\n1;macedoński\n", "cp1250")  # macedoñski in the western encoding
    assert told.warnings == ["read as cp1252, which is a guess: check the accented letters, and say source.encoding"]


def test_the_same_text_has_the_name_of_the_most_usual_encoding() -> None:
    assert found("1;Müller;Köln\n", "iso8859-2")[1].name == "cp1252"
    assert found("1;Müller;5 €;Köln\n", "iso8859-15")[1].name == "iso8859-15"


def test_a_sample_that_ends_within_a_character_is_no_reason_to_doubt_it() -> None:
    data = ("1;" + "東京都港区芝公園" * 4000).encode("cp932")
    assert enc.find(data[:32767], [], None).name == "cp932"
    assert enc.find(data[:32768], [], None).name == "cp932"


def test_stray_bytes_do_not_hide_the_encoding() -> None:
    data = table("German").encode("cp1252") * 3 + b"9;x\x81;y;z;1\r\n"
    assert enc.find(data, [], None).name == "cp1252"
