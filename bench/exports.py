"""Tables as offices export them, in the character sets of their countries: names, streets, cities, companies and words of Faker's locales.

The weights of the detection were found with other words; some rules about signs were mended after mistakes that showed here. A table has a header, three to seven columns, and 3, 20 or 200 records; a file is one whose text is not
ASCII alone and which its encoding can hold (after what a program of that time writes instead: ş for ș, and so on).
"""

from __future__ import annotations

import random
import subprocess
import sys
import sysconfig
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import util
from pathlib import Path
from typing import Any

SIZES = {3: 12, 20: 5, 200: 2}
"""Records of a table, and how many tables of that size are made of each locale."""


@dataclass(frozen=True, slots=True)
class Country:
    """A language and what its files are written in.

    Attributes:
        group: by which results are counted.
        header: names of columns, as people there write them.
        encodings: the most usual first.
        words: extra words, where Faker has none: of products.
    """

    locale: str
    group: str
    header: str
    encodings: tuple[str, ...]
    words: str = ""


_WEST = ("cp1252", "iso8859-15", "cp850", "mac-roman")
_MIDDLE = ("cp1250", "iso8859-2", "cp852")
_CYRILLIC = ("cp1251", "koi8-r", "cp866", "iso8859-5")
_TURKISH = ("cp1254", "iso8859-9", "cp857")
_BALTIC = ("cp1257", "iso8859-13", "cp775")

COUNTRIES = (
    Country("de_DE", "western", "Kunde;Straße;Ort;Firma;Artikel", _WEST,
            "Schlüssel Tür Größe Kühlschrank Lampe Äpfel Möbel Tasche Stühle Gerät weiß Zubehör"),
    Country("fr_FR", "western", "Société;Adresse;Ville;Nom;Désignation", _WEST,
            "clé étagère fenêtre chaise câble boîte lampe façade noël crème château théière"),
    Country("es_ES", "western", "Cliente;Dirección;Ciudad;Empresa;Descripción", _WEST,
            "lámpara silla cajón muñeca armario jabón azúcar sartén almohada leña camión mesa"),
    Country("it_IT", "western", "Cliente;Indirizzo;Città;Azienda;Quantità", _WEST,
            "caffè lampada sedia qualità tè novità tavolo scatola unità bontà vaso perché"),
    Country("pt_BR", "western", "Cliente;Endereço;Cidade;Empresa;Descrição", _WEST,
            "maçã feijão cadeira lâmpada açúcar sofá pão relógio mesa sabão colchão óculos"),
    Country("pt_PT", "western", "Cliente;Morada;Cidade;Empresa;Preço", _WEST),
    Country("nl_NL", "western", "Klant;Straat;Plaats;Bedrijf;Artikel", _WEST, "café coördinatie reünie financiële crème ideeën"),
    Country("sv_SE", "western", "Kund;Gata;Ort;Företag;Artikel", _WEST, "stol bord hyllplan dörr säng kök lås åra skåp fönster"),
    Country("da_DK", "western", "Kunde;Gade;By;Firma;Beløb", _WEST, "stol bord dør køkken lås skål øl grøntsager å æble"),
    Country("no_NO", "western", "Kunde;Gate;Sted;Firma;Beløp", _WEST, "stol bord dør kjøkken lås skål brød grønnsaker åre eple"),
    Country("fi_FI", "western", "Asiakas;Katu;Paikka;Yritys;Määrä", _WEST, "pöytä tuoli kenkä hylly sänky käsine työkalu lämpö"),
    Country("is_IS", "western", "Nafn;Heimilisfang;Staður;Fyrirtæki;Verð", ("cp1252", "iso8859-15", "cp850"),
            "stóll borð hurð þvottavél brauð ávöxtur mjólk ísskápur sófi lampi"),
    Country("en_GB", "western, few accents", "Customer;Street;City;Company;Item", ("cp1252", "iso8859-15", "cp850", "mac-roman")),
    Country("pl_PL", "Polish", "Nazwa;Ulica;Miasto;Firma;Ilość", _MIDDLE, "krzesło stół łóżko śruba żarówka skrzynia książka"),
    Country("cs_CZ", "Czech, Slovak", "Název;Ulice;Město;Firma;Množství", _MIDDLE, "židle stůl postel šroub žárovka skříň kniha"),
    Country("sk_SK", "Czech, Slovak", "Názov;Ulica;Mesto;Firma;Množstvo", _MIDDLE, "stolička stôl posteľ skrutka žiarovka kniha"),
    Country("hu_HU", "Hungarian", "Név;Utca;Város;Cég;Mennyiség", _MIDDLE, "szék asztal ágy csavar izzó szekrény könyv hűtő"),
    Country("sl_SI", "Slovene, Croatian", "Naziv;Ulica;Mesto;Podjetje;Količina", _MIDDLE, "stol miza postelja žarnica omara knjiga"),
    Country("hr_HR", "Slovene, Croatian", "Naziv;Ulica;Grad;Tvrtka;Količina", _MIDDLE, "stolica stol krevet žarulja ormarić knjiga"),
    Country("ro_RO", "Romanian", "Nume;Stradă;Oraș;Firmă;Cantitate", _MIDDLE, "scaun masă pat șurub dulap carte fereastră țeavă cârnați"),
    Country("ru_RU", "Cyrillic", "Имя;Улица;Город;Фирма;Товар", _CYRILLIC),
    Country("uk_UA", "Cyrillic", "Назва;Вулиця;Місто;Фірма;Товар", ("cp1251", "koi8-u", "cp1125")),
    Country("bg_BG", "Cyrillic", "Име;Улица;Град;Фирма;Стока", ("cp1251", "iso8859-5", "cp866"),
            "стол маса легло винт крушка шкаф книга хладилник прозорец"),
    Country("mk_MK", "Cyrillic", "Име;Улица;Град;Фирма;Производ", ("cp1251", "iso8859-5")),
    Country("el_GR", "Greek", "Όνομα;Οδός;Πόλη;Εταιρεία;Ποσότητα", ("cp1253", "iso8859-7", "cp737", "cp869")),
    Country("tr_TR", "Turkish", "Ad;Adres;Şehir;Şirket;Miktar", _TURKISH,
            "sandalye masa yatak vida ampul dolap kitap buzdolabı çanta ayakkabı gömlek ışık şişe bıçak"),
    Country("lt_LT", "Baltic", "Vardas;Gatvė;Miestas;Įmonė;Kiekis", _BALTIC, "kėdė stalas lova varžtas lemputė spinta knyga šaldytuvas"),
    Country("lv_LV", "Baltic", "Vārds;Iela;Pilsēta;Uzņēmums;Daudzums", _BALTIC, "krēsls galds gulta skrūve spuldze skapis grāmata"),
    Country("et_EE", "Baltic", "Nimi;Tänav;Linn;Ettevõte;Kogus", ("cp1257", "iso8859-13", "cp775", "cp1252", "iso8859-15"),
            "tool laud voodi kruvi pirn kapp raamat külmkapp võti söök õun"),
    Country("he_IL", "Hebrew", "שם;רחוב;עיר;חברה;כמות", ("cp1255", "iso8859-8", "cp862")),
    Country("ar_SA", "Arabic", "الاسم;الشارع;المدينة;الشركة;الكمية", ("cp1256", "iso8859-6"), "كرسي طاولة سرير مسمار مصباح خزانة كتاب ثلاجة"),
    Country("fa_IR", "Arabic", "نام;خیابان;شهر;شرکت;تعداد", ("cp1256",)),
    Country("th_TH", "Thai", "ชื่อ;ถนน;เมือง;บริษัท;จำนวน", ("cp874", "tis-620")),
    Country("vi_VN", "Vietnamese", "Tên;Đường;Thành phố;Công ty;Số lượng", ("cp1258",)),
    Country("ja_JP", "Japanese, Chinese, Korean", "名前;住所;市;会社;数量", ("cp932", "euc-jp")),
    Country("ko_KR", "Japanese, Chinese, Korean", "이름;주소;도시;회사;수량", ("cp949",)),
    Country("zh_CN", "Japanese, Chinese, Korean", "姓名;地址;城市;公司;数量", ("gb18030",)),
    Country("zh_TW", "Japanese, Chinese, Korean", "姓名;地址;城市;公司;數量", ("big5",)),
)  # fmt: skip
_INSTEAD = str.maketrans("șțȘȚ‘’“”–—", "şţŞŢ''\"\"--")
_ENGLISH = ("chair", "table 50 × 70", "café table", "naïve lamp", "Müller’s “best”", "10 µm filter", "bolt ±3°", "12 m² rug", "door – white",
            "price in €", "£5 voucher", "crème brûlée", "jalapeño", "façade", "rack", "wheel", "screw", "nut", "glove", "hose")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Export:
    """One file.

    Attributes:
        usual: whether this is the encoding of the country that is met most.
    """

    country: Country
    encoding: str
    records: int
    text: str
    data: bytes
    usual: bool


def exports() -> Iterator[Export]:
    """All files, the same every time."""
    faker = _faker()
    for country in COUNTRIES:
        make = faker.Faker(country.locale)
        for records, tables in SIZES.items():
            for number in range(tables):
                make.seed_instance(f"{country.locale} {records} {number}")
                text = _table(make, country, records, random.Random(f"{country.locale} {number}"))
                if not text.isascii():
                    yield from _written(country, records, text)


def _written(country: Country, records: int, text: str) -> Iterator[Export]:
    for encoding in country.encodings:
        old = unicodedata.normalize("NFC", text)
        if encoding != "cp1252" or country.group != "western, few accents":
            old = old.translate(_INSTEAD)
        if encoding == "cp1258":
            old = _marks_apart(old)
        data = old.encode(encoding, "replace" if encoding != "iso8859-7" else "ignore")
        if data.isascii():
            continue
        yield Export(country, encoding, records, data.decode(encoding), data, encoding == country.encodings[0])


def _marks_apart(text: str) -> str:
    """The five marks of tones as characters of their own, as windows-1258 has them."""
    return "".join(
        unicodedata.normalize("NFC", "".join(parts[:-1])) + parts[-1]
        if len(parts := unicodedata.normalize("NFD", c)) > 1 and c.encode("cp1258", "ignore") == b""
        else c
        for c in text
    )


def _table(make: Any, country: Country, records: int, dice: random.Random) -> str:
    english = country.group == "western, few accents"
    known = country.words.split()
    product = dice.choices(("words", "none"), (3, 1))[0]
    companies, dated = dice.random() < 0.5, dice.random() < 0.5
    names = country.header.split(";") if dice.random() < 0.7 else ["customer", "street", "city", "company", "item"]
    rows = []
    for n in range(records):
        row = [f"{1000 + n}", make.name(), make.street_address(), make.city()]
        row += [make.company()] if companies else []
        if english:
            row.append(dice.choice(_ENGLISH[:8] if n else _ENGLISH))
        elif product == "words" and known:
            row.append(" ".join(dice.sample(known, min(2, len(known)))))
        elif product == "words" and make.locales[0] in _HAS_WORDS:
            row.append(" ".join(make.words(2)))
        row += [f"{dice.randrange(100)},{dice.randrange(100):02}"] + ([f"{n % 28 + 1:02}.03.2024"] if dated else [])
        rows.append(";".join(c.replace("\n", " ").replace(";", ",") for c in row))
    header = ";".join(["id", *names[:3], *([names[3]] if companies else []), *names[4:], "price"])
    return "".join(line + "\r\n" for line in [header, *rows])


_HAS_WORDS = {"pl_PL", "cs_CZ", "ru_RU", "uk_UA", "mk_MK", "el_GR", "he_IL", "fa_IR", "th_TH", "vi_VN", "ja_JP", "zh_CN", "zh_TW"}  # fmt: skip


def _faker() -> Any:
    """Faker, installed beside the results of the bench when it is not there."""
    if util.find_spec("faker") is None:
        folder = Path(sysconfig.get_path("data")) / "bench"
        if not (folder / "faker").exists():
            subprocess.run(
                [sys.executable, "-m", "pip", "install", "--quiet", "--target", folder, "faker>=40,<41"], check=True
            )
        sys.path.append(str(folder))
    import faker

    return faker
