"""Every word of the desk's pages, in Korean and English; what findings are called is ``reports.wording``'s."""

from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest
from django.utils.translation import get_language

from doc_assets.reports.wording import DATE_SOURCES, FINDINGS, Text

WORDS: dict[str, Text] = {
    # the frame
    "desk": Text("사진 재사용 심사", "Photo re-use review"),
    "queue": Text("심사 목록", "Queue"),
    "next": Text("다음 건", "Next case"),
    "audit": Text("감사 기록", "Audit"),
    "help": Text("도움말", "Help"),
    "sign_out": Text("로그아웃", "Sign out"),
    "sign_in": Text("로그인", "Sign in"),
    "password": Text("비밀번호", "Password"),
    "second_factor": Text("2단계 인증", "Second factor"),
    "sessions": Text("접속 기기", "Sessions"),
    "language": Text("English", "한국어"),
    "skip_link": Text("본문으로", "Skip to content"),
    # the queue
    "state": Text("상태", "State"),
    "open": Text("심사 대기", "To judge"),
    "second": Text("2차 심사", "Second review"),
    "disputed": Text("의견 불일치", "Disputed"),
    "decided": Text("완료", "Decided"),
    "gone": Text("해당 없음", "No longer counts"),
    "undecided": Text("미완료 전체", "All undecided"),
    "mine": Text("내가 보는 건", "Held by me"),
    "filter": Text("조회", "Show"),
    "document": Text("문서", "Document"),
    "merchant": Text("가맹점", "Merchant"),
    "drop": Text("입고 묶음", "Drop"),
    "date": Text("일자", "Date"),
    "reason": Text("사유", "Reason"),
    "priority": Text("우선순위", "Priority"),
    "holder": Text("담당", "Held by"),
    "any": Text("전체", "Any"),
    "more": Text("다음 쪽", "Next page"),
    "first_page": Text("처음으로", "First page"),
    "nothing": Text("해당하는 건이 없습니다.", "There is nothing to show."),
    "all_done": Text("지금 심사할 건이 없습니다.", "There is no case for you to judge now."),
    "pairs": Text("사진 쌍", "Pairs"),
    # parts of a priority
    "part_probability": Text("일치 확률", "Probability"),
    "part_photos": Text("재사용 사진 수", "Photos re-used"),
    "part_merchants": Text("연결된 가맹점", "Other merchants"),
    "part_identical_file": Text("동일 파일", "Identical file"),
    "part_age": Text("경과 일수", "Age"),
    # a case
    "case": Text("심사 건", "Case"),
    "this_document": Text("심사 문서", "This document"),
    "earlier_document": Text("상대 문서", "Other document"),
    "probability": Text("일치 확률", "Probability"),
    "same_file": Text("파일 전체가 같음", "The files are identical"),
    "gone_photo": Text("사진을 더는 찾을 수 없음", "The photo is no longer there"),
    "whole_file": Text("파일 전체", "Whole file"),
    "photo_n": Text("사진 {n}", "Photo {n}"),
    "photos": Text("이 문서의 사진", "Photos of this document"),
    "facts": Text("문서 정보", "Facts"),
    "group": Text("같은 사진이 있는 문서", "Documents with this photograph"),
    "in_all": Text("문서 {documents}건, 가맹점 {merchants}곳", "{documents} documents, {merchants} merchants"),
    "verdicts": Text("판정 기록", "Verdicts"),
    "hidden_verdicts": Text("2차 심사에서는 1차 판정을 표시하지 않습니다.", "A second review does not show the first."),
    "undone": Text("취소됨", "undone"),
    "comments": Text("메모", "Notes"),
    "comment": Text("메모", "Note"),
    "note_wanted": Text(
        "기타를 고르려면 이유를 메모에 적으세요.", "Say in the note why it is allowed, then choose again."
    ),
    "not_now_gone": Text(
        "더는 해당하는 내용이 없는 건입니다.", "Nothing of this case counts any more; there is nothing to judge."
    ),
    "not_now_decided": Text("판정이 끝난 건입니다.", "This case is decided."),
    "not_now_own": Text(
        "1차 판정을 하셨습니다. 2차 심사는 다른 사람이 합니다.",
        "You judged it first; the second review is for somebody else.",
    ),
    "not_now_disputed": Text("두 판정이 달라 책임자가 결정합니다.", "The two verdicts differ; a lead decides."),
    "held_by": Text("{person} 님이 보고 있습니다 ({until}까지).", "Held by {person} until {until}."),
    "position": Text("쌍 {at} / {of}", "Pair {at} of {of}"),
    "changed_reload": Text(
        "그 사이에 다시 검사되었습니다. 새로 보여 드립니다.", "It was screened again meanwhile; this is how it is now."
    ),
    # verdicts
    "verdict": Text("판정", "Verdict"),
    "for_all": Text("모든 쌍에 적용", "All pairs alike"),
    "fraud": Text("같은 사진 · 부정 사용", "Same · fraud"),
    "allowed": Text("같은 사진 · 허용", "Same · allowed"),
    "other_shot": Text("같은 장면의 다른 사진", "Another shot"),
    "shared_thing": Text("같은 인쇄물", "Same printed thing"),
    "different": Text("다른 사진", "Different"),
    "cannot_tell": Text("판단 불가", "Cannot tell"),
    "undo": Text("취소", "Undo"),
    "why_allowed": Text("허용하는 이유", "Why it is allowed"),
    "renewal": Text("같은 가맹점의 재계약", "Same merchant, renewal"),
    "same_building": Text("합의된 같은 건물", "Same building, agreed"),
    "test_document": Text("시험용 문서", "Test document"),
    "own_copy": Text("같은 문서의 사본", "Copy of the same document"),
    "other": Text("기타 (메모에 적기)", "Other (say in a note)"),
    "cancel": Text("닫기", "Close"),
    "undone_n": Text("판정 {n}건을 취소했습니다.", "{n} verdicts were undone."),
    "nothing_to_undo": Text("취소할 판정이 없습니다.", "There is nothing to undo."),
    "stage_first": Text("1차", "first"),
    "stage_second": Text("2차", "second"),
    "stage_lead": Text("책임자", "lead"),
    # the viewer
    "viewer": Text("사진 비교", "Photos compared"),
    "side_by_side": Text("나란히", "Side"),
    "overlay": Text("겹치기", "Overlay"),
    "blink": Text("번갈아", "Blink"),
    "curtain": Text("커튼", "Curtain"),
    "difference": Text("차이", "Difference"),
    "chequers": Text("바둑판", "Chequers"),
    "upright": Text("바로 세우기", "Upright"),
    "shown_upright": Text("상대 사진에 맞춰 돌리거나 뒤집어 표시", "turned or mirrored as the other photo stands"),
    "keypoints": Text("일치점", "Keypoints"),
    "page": Text("쪽 전체", "Page"),
    "reset": Text("처음 크기", "Reset"),
    "grey": Text("흑백", "Grey"),
    "invert": Text("반전", "Invert"),
    "align": Text("직접 맞추기", "Align"),
    "align_hint": Text(
        "왼쪽과 오른쪽에서 같은 두 곳을 차례로 누르세요.", "Click the same two places left and right, in turn."
    ),
    "opacity": Text("투명도", "Opacity"),
    "previous_pair": Text("이전 쌍", "Previous pair"),
    "next_pair": Text("다음 쌍", "Next pair"),
    "not_aligned": Text(
        "맞춰진 위치가 없습니다 (일치점 부족). 직접 맞출 수 있습니다.",
        "No alignment is known (too few keypoints agree); it can be made by hand.",
    ),
    # what leaves the desk, and faces
    "export": Text("목록 내려받기", "Download the list"),
    "export_most": Text("최대 {most}건", "at most {most} cases"),
    "export_too_many": Text(
        "{most}건이 넘어 내려받을 수 없습니다. 조건을 더 좁히세요.",
        "More than {most} cases cannot be downloaded at once. Narrow the filter.",
    ),
    "column_case": Text("심사 번호", "Case"),
    "column_state": Text("상태", "State"),
    "column_priority": Text("우선순위", "Priority"),
    "column_query_document": Text("문서", "Document"),
    "column_merchant_id": Text("가맹점", "Merchant"),
    "column_drop": Text("입고 묶음", "Drop"),
    "column_query_photo": Text("사진 번호", "Photo"),
    "column_finding": Text("사유", "Finding"),
    "column_probability": Text("일치 확률", "Probability"),
    "column_document": Text("상대 문서", "Other document"),
    "column_photo": Text("상대 사진 번호", "Other photo"),
    "column_verdict": Text("판정", "Verdict"),
    "column_decided_by": Text("판정자", "Judged by"),
    "column_decided_at": Text("판정 일시", "Judged at"),
    "take_out": Text("내려받기", "Take out"),
    "print": Text("인쇄 화면", "Printable page"),
    "package": Text("증거 파일", "Case package"),
    "package_with_originals": Text("증거 파일 (원본 포함)", "Case package with originals"),
    "show_faces": Text("얼굴 표시", "Show faces"),
    "hide_faces": Text("얼굴 가리기", "Hide faces"),
    "faces_pixelated": Text("사진 속 얼굴은 가렸습니다.", "Faces in the pictures are pixelated."),
    "package_redacted": Text("원본 문서는 넣지 않았습니다.", "The documents themselves are not included."),
    "package_originals": Text(
        "원본 문서와 얼굴이 보이는 사진이 들어 있습니다.",
        "It holds the documents themselves, and pictures that show faces.",
    ),
    "package_too_large": Text(
        "증거 파일이 1GB를 넘어 만들지 않았습니다. 원본 없이 내려받으세요.",
        "The package would exceed 1 GB and was not made. Take it without the originals.",
    ),
    "package_no_picture": Text("쌍 {n}: 보관된 사진 없음", "Pair {n}: the picture is no longer there"),
    "package_no_document": Text("문서 {n}: 보관된 원본 없음", "Document {n}: the file is no longer there"),
    "evidence": Text("비교 그림", "Evidence"),
    "files": Text("원본 문서", "Documents"),
    "absent": Text("빠진 항목", "What is missing"),
    "digests": Text("해시와 버전", "Digests and versions"),
    "pair_key": Text("쌍 식별값", "Pair key"),
    "bytes": Text("크기(바이트)", "Bytes"),
    # others
    "means_fraud": Text(
        "두 사진은 한 장의 사진이고, 이 문서에 쓰면 안 되는 사진입니다. 다른 사람이 한 번 더 심사합니다.",
        "Both are one photograph, and this document had no right to it. Another person judges it as well.",
    ),
    "means_allowed": Text(
        "두 사진은 한 장의 사진이지만 써도 되는 이유가 있습니다. 이유를 고릅니다.",
        "Both are one photograph, and there is a reason why it may be used again. You choose the reason.",
    ),
    "means_different": Text("서로 관계없는 사진입니다.", "The photos have nothing to do with each other."),
    "means_other_shot": Text(
        "같은 곳을 따로 찍었습니다. 겹쳐 보면 앞뒤에 있는 것이 서로 어긋납니다.",
        "The same place was photographed twice: laid over each other, near and far things do not fit at once.",
    ),
    "means_shared_thing": Text(
        "간판, 포스터, 메뉴판처럼 같은 인쇄물이 찍혔을 뿐 그 둘레가 다릅니다.",
        "One sign, poster or menu board stands in two photographs; what surrounds it differs.",
    ),
    "means_cannot_tell": Text(
        "사진이 작거나 흐려서 판단할 수 없습니다.", "The photos are too small or too poor to tell."
    ),
    "to_queue": Text("심사 목록으로", "To the queue"),
    "not_found": Text("없는 화면이거나 더는 없는 자료입니다.", "There is no such page, or it is no longer there."),
    "bad_request": Text("처리할 수 없는 요청입니다.", "This request cannot be answered."),
    "stale_form": Text(
        "화면이 오래되어 처리하지 않았습니다. 화면을 다시 열고 한 번 더 하세요.",
        "This page was too old, so nothing was done. Open it again and repeat what you did.",
    ),
    "failed": Text(
        "처리하지 못했습니다. 원인은 서버 로그에 있습니다.", "This did not work. The server's log says why."
    ),
    "forgotten_password": Text(
        "비밀번호를 잊었으면 관리자에게 문의하세요.", "If you forgot your password, ask an administrator."
    ),
    "refused": Text("이 화면을 볼 권한이 없습니다.", "Your role does not include this page."),
    "when": Text("일시", "When"),
    "who": Text("사용자", "Who"),
    "action": Text("내용", "Action"),
    "subject": Text("대상", "Subject"),
    "detail": Text("상세", "Detail"),
    "audit_whole": Text(
        "기록 {n}건, 최근 {checked}건은 앞 기록과 이어져 있음",
        "{n} entries; of the newest {checked}, each fits the one before",
    ),
    "audit_broken": Text("기록 {n}번이 앞 기록과 맞지 않음", "Entry {n} does not fit the one before"),
    "keys": Text("단축키", "Keys"),
    "keys_hint": Text("모든 단축키는 단추에도 적혀 있습니다.", "Every key stands on its button too."),
    "link_used": Text(
        "이 주소는 한 번만 쓸 수 있습니다. `doc-assets serve`를 다시 실행하세요.",
        "This link can be used once. Run `doc-assets serve` again.",
    ),
}


def say(name: str, **values: object) -> str:
    """A text in the language of the request, with these values in it.

    Raises:
        KeyError: if there is no such text, or it wants another value.
    """
    return in_language(WORDS[name]).format(**values) if values else in_language(WORDS[name])


def in_language(text: Text) -> str:
    """A text of both languages in that of the request."""
    return text.en if (get_language() or "ko").startswith("en") else text.ko


def finding_name(kind: str) -> str:
    """What a finding is called."""
    return in_language(next(text for known, text in FINDINGS.items() if known == kind))


def date_source_name(source: str) -> str:
    """How a document's date is known."""
    return in_language(DATE_SOURCES[source])


class _Words(Mapping[str, str]):
    """All texts in the language of the request, for templates."""

    def __getitem__(self, name: str) -> str:
        return say(name)

    def __iter__(self) -> Any:  # noqa: ANN401 - an iterator of names
        return iter(WORDS)

    def __len__(self) -> int:
        return len(WORDS)


def words(_request: HttpRequest) -> dict[str, Any]:
    """Context of every template: ``t`` has the texts."""
    return {"t": _Words()}
