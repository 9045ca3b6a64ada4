package main

// abroad are pence a minute: fixed, mobile, and premium where the tariff has a row for it. Invented, in the order of size and with the spread that a British
// retail tariff has: the price of a country says little about how far away it is.
const abroad = `
Ireland 1.5 8; France 1.5 6 110; Germany 1.5 7 120; Spain 1.5 6 95; Italy 1.6 8 105; Netherlands 1.7 8 90; Belgium 2 12 85; Portugal 1.8 9
Poland 1.8 5.5 45; Romania 2.2 7 60; Bulgaria 3 18 70; Hungary 2 8; Czechia 2 7 65; Slovakia 2.5 10; Lithuania 5 14 130; Latvia 12 42 150
Estonia 4 38 140; Greece 2 6; Cyprus 3 6; Malta 4 18; Sweden 1.5 5; Norway 1.6 6 85; Denmark 1.5 5; Finland 4 7; Iceland 3 9; Switzerland 2.5 18 125
Austria 2 7 115; Luxembourg 3 11; Croatia 3 14; Slovenia 6 32; Serbia 12 28; Bosnia & Herzegovina 14 32; Albania 14 33 90; Macedonia 12 36
Montenegro 14 38; Kosovo 16 34; Ukraine 9 19; Russia 6 14 150; Belarus 22 34; Moldova 18 28; Georgia 8 19; Armenia 12 26; Azerbaijan 14 32
Turkey 3.5 14; Andorra 6 24; Monaco 8 38; San Marino 12 45; Liechtenstein 6 48 160; Gibraltar 5 19
United States 1.1 -; Canada 1.1 -; Mexico 2 3.5; Brazil 2.5 8; Argentina 2.5 12; Chile 3 6; Colombia 3 5; Peru 3 6; Venezuela 4 9; Ecuador 11 21
Bolivia 14 20; Jamaica 9 26; Trinidad & Tobago 7 22; Barbados 12 28; Bahamas 9 22; Dominican Republic 6 12; Cuba 72 78; Haiti 26 34; Guyana 24 32
Suriname 24 33; Grenada 17 31; St. Lucia 16 30; Antigua & Barbuda 18 31; Bermuda 5 7; Cayman Islands 14 24; Falkland Islands 105 110
India 1.4 1.6; Pakistan 5 8; Bangladesh 2.4 3; Sri Lanka 12 17; Nepal 10 14; Maldives 88 96 240; China 1.3 1.5; Hong Kong SAR China 1.6 2
Taiwan 2 9; Japan 2.2 9; South Korea 1.9 4; Philippines 9 15; Indonesia 4 7; Malaysia 1.5 3; Singapore 1.2 1.5; Thailand 2 2.5; Vietnam 5 7
Cambodia 7 9; Myanmar (Burma) 21 28; Laos 8 10; Afghanistan 24 28; Iran 11 18; Iraq 15 24; Israel 1.6 6; Palestinian Territories 18 27; Jordan 14 20
Lebanon 11 23; Syria 19 26; Saudi Arabia 9 15; United Arab Emirates 17 18; Qatar 18 25; Kuwait 9 12; Bahrain 9 14; Oman 16 26; Yemen 13 17
Kazakhstan 8 16; Uzbekistan 9 11; Timor-Leste 118 130; North Korea 68 72
South Africa 4 10; Nigeria 7 10; Ghana 17 24; Kenya 9 17; Uganda 19 26; Tanzania 21 30; Zambia 19 34; Zimbabwe 11 38; Malawi 26 34; Ethiopia 22 26
Eritrea 24 28; Somalia 52 61; Djibouti 32 38; Sudan 18 24; Egypt 9 12; Morocco 14 38; Algeria 8 44; Tunisia 38 48; Libya 24 33; Senegal 29 37
Gambia 49 58; Mali 27 38; Mauritania 44 56; Guinea 42 54; Guinea-Bissau 46 59; Sierra Leone 41 52; Liberia 31 41; Côte d’Ivoire 28 36
Burkina Faso 27 38; Togo 31 39; Benin 30 41; Niger 28 37; Chad 47 58; Cameroon 22 34; Gabon 39 47; Central African Republic 51 62; Burundi 44 53
Rwanda 28 34; Madagascar 54 64; Comoros 48 59; Seychelles 36 44; Mauritius 12 16; Cape Verde 22 32; Angola 12 21; Mozambique 10 28; Botswana 14 28
Namibia 9 17; São Tomé & Príncipe 124 134
Australia 1.3 4.5 95; New Zealand 1.4 6; Papua New Guinea 62 74; Fiji 22 28; Samoa 48 58; Tonga 54 66; Solomon Islands 110 118; Vanuatu 92 104
Kiribati 96 104; Tuvalu 88 -; Nauru 108 116; Cook Islands 84 92
`

// connects are pence for each answered call, on top of the minutes.
var connects = map[string]string{
	"Albania - mobile": "5", "Lithuania - premium rate": "15", "Somalia - mobile": "8", "Cuba": "10", "Cuba - mobile": "10", "Sierra Leone": "6",
	"Estonia - premium rate": "25", "Latvia - premium rate": "50", "Madagascar": "8", "Guinea": "6", "Tunisia": "4", "Algeria - mobile": "3",
	"Slovenia - mobile": "4", "Haiti": "5", "Haiti - mobile": "5", "Kosovo - mobile": "3", "Poland - premium rate": "12",
}

// fixedRows are what is not a country abroad: name, prefixes, short, pence a minute, connection charge, increments, kind of number.
const fixedRows = `
UK geographic|441-442||1.2|0|1|1|national
UK mobile|4471, 4473-4475, 4477-4479||3.4|0|1|1|national
UK-wide 03|443||1.2|0|1|1|national
UK corporate and VoIP 05|4455-4456||2.5|0|1|1|national
UK freephone|44800, 44808||0|0|1|1|free
UK basic rate 0843 and 0844|44843-44844||6|5|60|60|revenue
UK basic rate 0845|44845||4.5|0|1|1|revenue
UK 0870|44870||3|0|1|1|revenue
UK higher rate 0871|44871||13|0|60|60|revenue
UK higher rate 0872|44872||6|12|60|60|revenue
UK higher rate 0873|44873||10|9|60|60|revenue
UK personal numbers 070|4470||18|1|60|60|revenue
UK pagers 076|4476||35|10|60|60|revenue
UK premium 09|449||260|0|60|60|premium
UK premium 0900 to 0902|44900-44902||65|0|60|60|premium
UK premium 0905 and 0906|44905-44906||155|50|60|60|premium
UK premium 098|4498||360|150|60|60|premium
Guernsey|441481||2.5|0|1|1|national
Guernsey - mobile|447781, 447839, 4479111, 4479117||12|0|1|1|national
Isle of Man|441624||2.5|0|1|1|national
Isle of Man - mobile|4474184, 4474520-4474526, 4474576, 447524, 447624, 447924||14|0|1|1|national
Jersey|441534||2.5|0|1|1|national
Jersey - mobile|44701511, 447509, 4477003, 4477007-4477008, 447797, 447829, 447937||13|0|1|1|national
Satellite - Inmarsat|870||590|0|60|60|satellite
Satellite - Iridium and Globalstar|881||540|0|60|60|satellite
Satellite and international networks - 882|882||360|0|60|60|satellite
Satellite and international networks - 883|883||110|0|60|60|satellite
International premium rate|979||320|100|60|60|premium
International freephone|800||12|0|60|60|fixed
Directory enquiries 118|118|yes|300|300|60|60|
Emergency|112, 18000, 999|yes|0|0|60|60|
Harmonised services 116|116|yes|0|0|60|60|
Operator|100, 155|yes|60|60|60|60|
Police non-emergency 101|101|yes|0|15|60|60|
Public services|105, 111, 119, 150, 159, 195|yes|0|0|60|60|
Speaking clock|123|yes|0|45|60|60|
`

// towns are area codes at home in which people live.
const towns = "44207 44208 44161 44121 44113 44117 44131 44141 44115 44151 44191 44114 44116 44118 441273 441865 441223 441603 441752 441382 441224 441482 442920 442890"
