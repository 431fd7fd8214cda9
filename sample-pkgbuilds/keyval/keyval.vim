" Vim syntax file for KEY=VALUE files
if exists("b:current_syntax")
  finish
endif
syn match keyvalComment "^\s*#.*$"
syn match keyvalKey "^\s*\w\+\ze\s*="
hi def link keyvalComment Comment
hi def link keyvalKey Identifier
let b:current_syntax = "keyval"
