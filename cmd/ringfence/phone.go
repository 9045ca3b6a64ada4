package main

import "ringfence/edge/phone"

type phoneCmd struct {
	Register phone.RegisterCmd `cmd:"" help:"Register a line, as a phone does when it is switched on." eg:"--line 2001; --line 2001 --expires 0"`
	Call     phone.CallCmd     `cmd:"" help:"Place a call and print each answer." eg:"--line 2001 --to 02079460000; --line 2001 --to 999 --talk 2s; --server sip.example.net:5060 --password-file ./2001.txt --line 2001 --to 0015550100"`
	Answer   phone.AnswerCmd   `cmd:"" help:"Register and answer calls until interrupted." eg:"--line 2011 --talk 10s"`
	Attack   phone.AttackCmd   `cmd:"" help:"Make calls as an attacker with a stolen password would; on this machine only." eg:"--line 2021; --line 2021 --calls 1000 --at-once 50"`
	Guess    phone.GuessCmd    `cmd:"" help:"Guess a line's password as an attacker would; on this machine only." eg:"--line 2011; --line 2011 --passwords ./list.txt --tries 1000 --source 127.0.66.7"`
	Carrier  phone.CarrierCmd  `cmd:"" help:"Run a test carrier that answers every call." eg:"--listen 127.0.0.1:5090; --refuse 503"`
}
