package exposure

import "testing"

func TestAdviceThatChangesNothingSaysSo(t *testing.T) {
	if text := instead("A thief", 9_000_000, 50_000_000); text != "A thief could cost £9.00 tonight instead of £50.00." {
		t.Error(text)
	}
	if text := instead("A thief", 50_000_000, 50_000_000); text != "A thief could still cost £50.00 tonight: something else is as dear." {
		t.Error(text)
	}
}

// TestHoles: firmware is named by its version, and a repaired, unknown or made-up one is not.
func TestHoles(t *testing.T) {
	for agent, want := range map[string]string{
		"Cisco/SPA112-1.4.1(002)":                      "CVE-2023-20126",
		"Grandstream GXP1625 1.0.4.138":                "CVE-2026-2329",
		"Grandstream GXP1625 1.0.7.80":                 "CVE-2026-2329",
		"Grandstream GXP1625 1.0.7.81":                 "",
		"Grandstream GXP1625 1.0.10.2":                 "",
		"Grandstream GXP1625":                          "",
		"Grandstream GXP2170 1.0.4.1":                  "",
		"Grandstream UCM6202V1.5A 1.0.18.13":           "CVE-2020-5722",
		"Grandstream UCM6204 1.0.20.52":                "",
		"Cisco-CP-8841-3PCC/11.3.6":                    "CVE-2023-20078",
		"Cisco-CP7841-3PCC/11.0.0":                     "CVE-2023-20078",
		"Cisco-CP-8841-3PCC/11.3.7":                    "",
		"Cisco-CP-8841-3PCC/12.0.1":                    "",
		"Cisco-CP8841/14.2.1":                          "",
		"Grandstream GXP1625 99999999999999999999.0.0": "",
		"Yealink SIP-T46S 66.86.0.15":                  "",
	} {
		got := ""
		for i := range holes {
			if holes[i].has(agent) {
				got += holes[i].source
			}
		}
		if got != want {
			t.Errorf("%s: %q, want %q", agent, got, want)
		}
	}
}
