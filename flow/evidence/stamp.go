package evidence

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"math/big"
	"time"
)

// Object identifiers of RFC 3161 and of what it builds on.
var (
	oidSHA256     = asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 1}
	oidSignedData = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 2}
	oidTSTInfo    = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 16, 1, 4}
)

// stampRequest is a TimeStampReq (RFC 3161 section 2.4.1).
type stampRequest struct {
	Version int
	Imprint imprint
	Nonce   *big.Int
	CertReq bool
}

type imprint struct {
	Algorithm pkix.AlgorithmIdentifier
	Hash      []byte
}

// stampResponse is a TimeStampResp (section 2.4.2).
type stampResponse struct {
	Status struct {
		Status int
		Text   asn1.RawValue  `asn1:"optional,tag:16"`
		Fail   asn1.BitString `asn1:"optional"`
	}
	Token asn1.RawValue `asn1:"optional"`
}

type contentInfo struct {
	Type    asn1.ObjectIdentifier
	Content asn1.RawValue `asn1:"explicit,tag:0"`
}

// signedData is as much of SignedData (RFC 5652 section 5.1) as is read.
type signedData struct {
	Version    int
	Algorithms asn1.RawValue
	Inner      struct {
		Type    asn1.ObjectIdentifier
		Content []byte `asn1:"explicit,tag:0"`
	}
}

// tstInfo is as much of TSTInfo (RFC 3161 section 2.4.2) as is read.
type tstInfo struct {
	Version int
	Policy  asn1.ObjectIdentifier
	Imprint imprint
	Serial  *big.Int
	Time    time.Time     `asn1:"generalized"`
	Rest    asn1.RawValue `asn1:"optional"`
}

// ErrStamp says that an answer is not a time stamp of what was asked.
var ErrStamp = errors.New("not a time stamp of this checkpoint")

// stamp asks a time stamper about a signed note, and keeps its answer, whose imprint is that of the note. Its signature is checked by those who use it,
// against the certificates that they trust: openssl ts -verify.
func (e *Evidence) stamp(ctx context.Context, url string, signed []byte) ([]byte, error) {
	nonce, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 64))
	if err != nil {
		return nil, err
	}
	ask, err := stampAsk(signed, nonce)
	if err != nil {
		return nil, err
	}
	answer, err := e.post(ctx, url, "application/timestamp-query", ask)
	if err != nil {
		return nil, err
	}
	_, err = Stamped(answer, signed)
	return answer, err
}

func stampAsk(signed []byte, nonce *big.Int) ([]byte, error) {
	sum := sha256.Sum256(signed)
	return asn1.Marshal(stampRequest{
		Version: 1, Nonce: nonce, CertReq: true,
		Imprint: imprint{pkix.AlgorithmIdentifier{Algorithm: oidSHA256, Parameters: asn1.NullRawValue}, sum[:]},
	})
}

// Stamped is the time at which an answer of a time stamper says that a signed note was there.
func Stamped(answer, signed []byte) (time.Time, error) {
	var r stampResponse
	if _, err := asn1.Unmarshal(answer, &r); err != nil {
		return time.Time{}, fmt.Errorf("%w: %w", ErrStamp, err)
	}
	if r.Status.Status > 1 || len(r.Token.FullBytes) == 0 {
		return time.Time{}, fmt.Errorf("%w: refused with status %d", ErrStamp, r.Status.Status)
	}
	var c contentInfo
	var d signedData
	var info tstInfo
	_, err := asn1.Unmarshal(r.Token.FullBytes, &c)
	if err == nil {
		_, err = asn1.Unmarshal(c.Content.Bytes, &d)
	}
	if err == nil {
		_, err = asn1.Unmarshal(d.Inner.Content, &info)
	}
	if err != nil {
		return time.Time{}, fmt.Errorf("%w: %w", ErrStamp, err)
	}
	sum := sha256.Sum256(signed)
	if !c.Type.Equal(oidSignedData) || !d.Inner.Type.Equal(oidTSTInfo) || !info.Imprint.Algorithm.Algorithm.Equal(oidSHA256) || !bytes.Equal(info.Imprint.Hash, sum[:]) {
		return time.Time{}, ErrStamp
	}
	return info.Time, nil
}
