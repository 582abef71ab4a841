// Prints "written<TAB>canonical<TAB>nanos" for seeded random quantities, as Kubernetes' own library reads and prints them,
// and "finer" where that library would round. Made with k8s.io/apimachinery v0.34.1 and Go 1.24: go mod tidy; go run . > quantities.tsv
package main

import (
	"fmt"
	"math/big"
	"math/rand"
	"strings"

	"gopkg.in/inf.v0"
	"k8s.io/apimachinery/pkg/api/resource"
)

func digits(random *rand.Rand, n int) string {
	var text strings.Builder
	for i := 0; i < n; i++ {
		text.WriteByte(byte('0' + random.Intn(10)))
	}
	return text.String()
}

// Whether the written value has a part below one nano-unit, which Kubernetes rounds away.
func isFiner(number string, suffix string) bool {
	value, _ := new(big.Rat).SetString(strings.TrimSuffix(number, "."))
	powers := map[string]int{"n": -9, "u": -6, "m": -3, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
	scale := "1"
	if power, known := powers[suffix]; known {
		scale = fmt.Sprintf("1e%d", power)
	} else if strings.HasSuffix(suffix, "i") {
		shift := uint(10 * (1 + strings.IndexByte("KMGTPE", suffix[0])))
		scale = new(big.Int).Lsh(big.NewInt(1), shift).String()
	} else if suffix != "" {
		scale = "1" + suffix
	}
	factor, _ := new(big.Rat).SetString(scale)
	value.Mul(value, factor)
	value.Mul(value, big.NewRat(1_000_000_000, 1))
	return !value.IsInt()
}

func main() {
	random := rand.New(rand.NewSource(1))
	suffixes := []string{"", "n", "u", "m", "k", "M", "G", "T", "P", "E", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei", "e3", "E-3", "e6", "e0", "E1", "e-2"}
	limit := new(big.Int).Mul(big.NewInt(1<<62), big.NewInt(1_000_000_000))
	for printed := 0; printed < 2000; {
		sign := []string{"", "", "", "-", "+"}[random.Intn(5)]
		number := digits(random, 1+random.Intn(7))
		if random.Intn(3) == 0 {
			number = strings.TrimRight(number, "0") + strings.Repeat("0", 1+random.Intn(6))
		}
		if random.Intn(2) == 0 {
			number += "." + digits(random, random.Intn(7))
		}
		suffix := suffixes[random.Intn(len(suffixes))]
		written := sign + number + suffix
		if isFiner(number, suffix) {
			fmt.Printf("%s\tfiner\tfiner\n", written)
			printed++
			continue
		}
		quantity, err := resource.ParseQuantity(written)
		if err != nil {
			panic(err)
		}
		exact := new(inf.Dec).Mul(quantity.AsDec(), inf.NewDec(1_000_000_000, 0))
		nanos := new(inf.Dec).Round(exact, 0, inf.RoundExact)
		if nanos == nil || new(big.Int).Abs(nanos.UnscaledBig()).Cmp(limit) > 0 {
			continue
		}
		// Not String(), which repeats what was written where that is short.
		canonical, mark := quantity.CanonicalizeBytes(make([]byte, 0, 32))
		fmt.Printf("%s\t%s%s\t%s\n", written, canonical, mark, nanos.String())
		printed++
	}
}
