# SPDX-License-Identifier: MIT
# Part of `run`: files that are too big to be kept, or too odd for an editor.

(
        cd "$tmp" || exit 2
        repeat 100000 '[' >depth-flow.yaml
        awk 'BEGIN { for (i = 0; i < 1000; i++) printf "%*sa:\n", i, "" }' >depth-block.yaml
        repeat 100000 '- ' >depth-list.yaml
        {
                echo 'x-a: &a0 [x, x, x, x, x, x, x, x, x, x]'
                awk 'BEGIN { for (i = 1; i < 10; i++) {
                        printf "x-%d: &a%d [", i, i
                        for (j = 0; j < 9; j++) printf "*a%d, ", i - 1
                        printf "*a%d]\n", i - 1 } }'
        } >alias-bomb.yaml
        {
                echo 'x-0: &a0 {a: 1, b: 2}'
                awk 'BEGIN { for (i = 1; i < 40; i++)
                        printf "x-%d: &a%d {p: *a%d, q: *a%d}\n", i, i, i - 1, i - 1 }'
        } >alias-deep.yaml
        truncate -s 64M big.yaml
        awk 'BEGIN { for (i = 0; i < 1000000; i++) printf "a%d: 1\n", i }' >million-keys.yaml
        printf '\377\376i\0n\0t\0' >utf16-le.yaml
        printf '\376\377\0i\0n\0t' >utf16-be.yaml
        printf '\357\273\277interfaces: {}\n' >bom.yaml
        printf 'interfaces:\n  br0: {kind: bri\0dge}\n' >nul.yaml
        printf 'interfaces:\n  br0: {alias: "a\300\200"}\n' >utf8.yaml
        printf 'interfaces:\n  br0: {alias: "a\033[31m"}\n' >escape.yaml
        { echo 'interfaces:'; printf '  br0: {kind: '; repeat 100000 x; echo '}'; } >long-word.yaml
        {
                echo 'interfaces:'
                repeat 2000 '  l%d: {kind: nothing}\n'
        } >many-errors.yaml
        mkdir many-files.d
        for i in $(seq 300); do echo '{}' >"many-files.d/$i.yaml"; done
        mkfifo fifo.yaml
        echo '{}' >writable.yaml
        chmod 666 writable.yaml
        {
                echo 'interfaces:'
                awk 'BEGIN {
                        for (i = 0; i < 500; i++) {
                                printf "  v%d: {kind: macvlan, mode: bridge, ", i
                                printf "parent: v%d}\n", (i + 1) % 500
                        }
                }'
        } >long-cycle.yaml
)

made alias-bomb.yaml ':6:46: x-5: more than 1000000 values, counted as often as aliases repeat them'
made alias-deep.yaml ':18:25: x-17.q: more than 1000000 values, counted as often as aliases repeat'
made big.yaml ': larger than 16 MiB'
made bom.yaml ':1:1: a byte order mark: save it as UTF-8 without one'
made depth-block.yaml ':33:33: a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.'
made depth-flow.yaml ':1:33: lists and maps nested more than 32 deep'
made depth-list.yaml ':1:65: lists and maps nested more than 32 deep'
made escape.yaml ':2:18: a control character'
made fifo.yaml ': neither a regular file nor a folder'
made long-cycle.yaml ':501:47: interfaces.v499.parent: goes round in a circle: v0 on v1'
made long-word.yaml ":2:15: interfaces.br0.kind: unknown kind 'xxxxxxxxxxxxxxxx"
made many-errors.yaml ":2:14: interfaces.l0.kind: unknown kind 'nothing'; there are: physical" 100
made many-files.d ': more than 256 files'
made missing.yaml ': cannot be opened: '
made nul.yaml ':2:18: a NUL byte: this is no text file'
made utf16-be.yaml ':1:1: this is UTF-16 or UTF-32: save it as UTF-8'
made utf16-le.yaml ':1:1: this is UTF-16 or UTF-32: save it as UTF-8'
made utf8.yaml ':2:18: this byte is not UTF-8 text'
made writable.yaml ': this file can be written by others'

# A million values may be read, so the one that is too many comes as late as that.
limit_was=$limit limit=$((limit > 0 ? 5000 : 0))
made million-keys.yaml ':1000000:10: a999999: more than 1000000 values'
limit=$limit_was

# Secrets: not others' to read, and what they should be.
(
        cd "$tmp" || exit 2
        mkdir keys
        echo 'xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=' >keys/open.key
        chmod 644 keys/open.key
        (umask 077; echo 'xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8D=' >keys/short.key; mkdir keys/folder)
        for key in open short folder missing; do
                echo "interfaces: {wg0: {kind: wireguard, private-key-file: keys/$key.key}}" |
                        sed 's/folder.key/folder/' >"secret-$key.yaml"
        done
)
key=':1:55: interfaces.wg0.private-key-file:'
(
        cd "$tmp" || exit 2
        (
                umask 077
                echo 00112233445566778899aabbccddeeff >keys/narrow.key
                echo 00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff >keys/wide.key
                echo 00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff0 >keys/wider.key
                echo 00112233445566778899aabbccddee >keys/narrower.key
        )
        sa='rx: [{mac: 02:00:00:00:00:02, sa: [{an: 0, key-id: 01, key-file: keys/'
        for key in narrower wider wide narrow; do
                echo "interfaces: {eth0: {}, sec0: {kind: macsec, parent: eth0, cipher: gcm-aes-$([ $key = narrow ] && echo 256 || echo 128), $sa$key.key}]}]}}"
        done | while read -r line; do
                key=${line#*keys/}
                echo "$line" >"secret-macsec-${key%%.*}.yaml"
        done
)
at=':1:145: interfaces.sec0.rx'
made secret-macsec-narrower.yaml "$at.sa.key-file: 'keys/narrower.key' is a file that holds no key: 16 or 32 bytes in hexadecimal"
made secret-macsec-wider.yaml "$at.sa.key-file: 'keys/wider.key' is a file that holds no key: one line"
made secret-macsec-wide.yaml "$at-sa.key-file: is a key of 32 bytes, and the cipher takes 16"
made secret-macsec-narrow.yaml "$at-sa.key-file: is a key of 16 bytes, and the cipher takes 32"
made secret-open.yaml "$key 'keys/open.key' is a file that others can read or write"
made secret-short.yaml "$key 'keys/short.key' is a file that holds no key: 32 bytes in base64"
made secret-folder.yaml "$key 'keys/folder' is not a regular file"
made secret-missing.yaml "$key 'keys/missing.key' can't be read: No such file or directory"
