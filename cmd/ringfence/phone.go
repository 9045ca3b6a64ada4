package main

import "ringfence/edge/phone"

type phoneCmd struct {
	Register phoneRegister `cmd:"" help:"Register a line, as a phone does when it is switched on."`
	Call     phoneCall     `cmd:"" help:"Place a call and print each answer."`
	Answer   phoneAnswer   `cmd:"" help:"Register and answer calls until interrupted."`
	Attack   phoneAttack   `cmd:"" help:"Do with a line what a thief with its password would; own servers only."`
	Guess    phoneGuess    `cmd:"" help:"Guess at a line's password, as a thief without it would; own servers only."`
	Carrier  phoneCarrier  `cmd:"" help:"Play a carrier that answers every call."`
}

type phoneRegister struct{ phone.RegisterCmd }

func (phoneRegister) Help() string {
	return examples("ringfence phone register --line 2001", "ringfence phone register --line 2001 --expires 0")
}

type phoneCall struct{ phone.CallCmd }

func (phoneCall) Help() string {
	return examples("ringfence phone call --line 2001 --to 02079460000", "ringfence phone call --line 2001 --to 999 --talk 2s",
		"ringfence phone call --server sip.example.net:5060 --password-file ./2001.txt --line 2001 --to 0015550100")
}

type phoneAnswer struct{ phone.AnswerCmd }

func (phoneAnswer) Help() string {
	return examples("ringfence phone answer --line 2011 --talk 10s")
}

type phoneAttack struct{ phone.AttackCmd }

func (phoneAttack) Help() string {
	return examples("ringfence phone attack --line 2021", "ringfence phone attack --line 2021 --calls 1000 --at-once 50")
}

type phoneGuess struct{ phone.GuessCmd }

func (phoneGuess) Help() string {
	return examples("ringfence phone guess --line 2011", "ringfence phone guess --line 2011 --passwords ./list.txt --tries 1000 --source 127.0.66.7")
}

type phoneCarrier struct{ phone.CarrierCmd }

func (phoneCarrier) Help() string {
	return examples("ringfence phone carrier --listen 127.0.0.1:5090", "ringfence phone carrier --refuse 503")
}
