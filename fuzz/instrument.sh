#!/bin/sh
# Stands before rustc (RUSTC_WRAPPER): counts the branches of what is fuzzed, and of nothing else, so that the other
# dependencies are those the project's own builds have compiled.
rustc="$1"
shift
case " $* " in
*" --crate-name secateur "* | *" --crate-name tokenizers "* | *" --crate-name quick_xml "* | *" --crate-name csv "*)
    exec "$rustc" "$@" -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
        -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
        -Cllvm-args=-sanitizer-coverage-trace-compares
    ;;
esac
exec "$rustc" "$@"
