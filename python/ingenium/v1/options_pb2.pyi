from google.protobuf import descriptor_pb2 as _descriptor_pb2
from google.protobuf import descriptor as _descriptor
from typing import ClassVar as _ClassVar

DESCRIPTOR: _descriptor.FileDescriptor
FORMAT_FIELD_NUMBER: _ClassVar[int]
format: _descriptor.FieldDescriptor
MAY_BE_EMPTY_FIELD_NUMBER: _ClassVar[int]
may_be_empty: _descriptor.FieldDescriptor
WORDS_FIELD_NUMBER: _ClassVar[int]
words: _descriptor.FieldDescriptor
OPEN_WORDS_FIELD_NUMBER: _ClassVar[int]
open_words: _descriptor.FieldDescriptor
WRITTEN_WHEN_UNSET_FIELD_NUMBER: _ClassVar[int]
written_when_unset: _descriptor.FieldDescriptor
ID_PREFIX_FIELD_NUMBER: _ClassVar[int]
id_prefix: _descriptor.FieldDescriptor
ONE_SPELLING_FIELD_NUMBER: _ClassVar[int]
one_spelling: _descriptor.FieldDescriptor
