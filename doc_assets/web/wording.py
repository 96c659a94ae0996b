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
    # searching by files
    "search": Text("사진 검색", "Search"),
    "searches": Text("검색 기록", "Searches"),
    "search_says": Text(
        "문서나 사진이 이전에 쓰였는지 찾습니다.", "Whether a document's photos, or a photo, were used before."
    ),
    "choose_files": Text(
        "파일을 끌어다 놓거나, 붙여넣거나(Ctrl+V), 고르세요.", "Drop files here, paste them (Ctrl+V), or choose them."
    ),
    "upload_limits": Text(
        "TIF, PDF, JPEG, PNG, WebP, BMP. 한 번에 {files}개, 합계 {size}, 파일마다 {pages}쪽까지",
        "TIF, PDF, JPEG, PNG, WebP, BMP. At once up to {files} files of {size} in all, each of up to {pages} pages",
    ),
    "keep_question": Text("올린 파일의 보관", "What happens to the files"),
    "look_once": Text("한 번만 보기", "Look once"),
    "means_look_once": Text(
        "검색이 끝나면 파일을 지우고 사진을 보관하지 않습니다. JPEG, PNG 등 사진 파일은 이 브라우저 창에서만 비교할 수 "
        "있습니다. 파일 이름과 결과는 검색을 삭제할 때까지 남습니다.",
        "The files leave when the search has ended, and none of their pictures is kept. Picture files can be compared "
        "in this browser tab alone. Names of files and the result stay until the search is deleted.",
    ),
    "keep_pictures": Text("보관하기", "Keep"),
    "means_keep_pictures": Text(
        "파일과 사진을 결과와 함께 보관합니다. 검색을 삭제하면 함께 지워집니다.",
        "Files and pictures stay with the result. They go when the search is deleted.",
    ),
    "search_now": Text("검색", "Search"),
    "latest_searches": Text("최근 검색", "Latest searches"),
    "all_searches": Text("검색 기록 전체", "All searches"),
    "own_searches": Text("내 검색", "My searches"),
    "everybodys_searches": Text("전체 검색", "Everybody's searches"),
    "files": Text("파일", "Files"),
    "pictures": Text("사진 보관", "Pictures"),
    "kept": Text("보관", "kept"),
    "not_kept": Text("보관 안 함", "not kept"),
    "search_n": Text("검색 {number}", "Search {number}"),
    "search_open": Text("진행 중", "in progress"),
    "search_done": Text("완료", "done"),
    "search_failed": Text("실패", "failed"),
    "search_queued": Text("차례를 기다리는 중", "Waiting for its turn"),
    "search_running": Text("검색 중", "Searching"),
    "search_away": Text("검색 서버의 응답을 기다리는 중", "Dagster does not answer now; asked again every second"),
    "stage_reading_queries": Text("파일을 읽는 중", "Reading the files"),
    "stage_searching": Text("비교하는 중", "Comparing with the archive"),
    "stage_evidence": Text("결과를 정리하는 중", "Writing the result"),
    "look_again": Text("새로고침", "Look again"),
    "search_again": Text("다시 검색", "Search again"),
    "search_other": Text("다른 파일 검색", "Search for other files"),
    "delete_search": Text("검색 삭제", "Delete this search"),
    "search_deleted": Text(
        "검색 {number}의 결과와 사진을 삭제했습니다.", "Search {number} and its pictures were deleted."
    ),
    "search_not_ended": Text("검색이 끝난 다음 삭제하세요.", "Wait until the search has ended, then delete it."),
    "searched_file": Text("올린 파일", "Searched file"),
    "searched_on": Text("{day} 검색", "searched {day}"),
    "file_size": Text("크기", "Size"),
    "n_photos": Text("사진 수", "Photos"),
    "found_documents": Text("찾은 문서", "Documents found"),
    "found_in": Text("같은 사진이 있는 문서 {n}건", "The same photograph stands in {n} documents"),
    "found_alike": Text("같은 사진은 없고 비슷한 사진이 있음", "No same photograph; some are alike"),
    "found_nothing": Text("같은 사진 없음", "No earlier document shows it"),
    "merely_near": Text("다른 사진(가장 가까운 것)", "not the same (the nearest one)"),
    "no_photo": Text("파일에서 사진을 찾지 못함", "No photo was found in the file"),
    "not_readable": Text("파일을 읽지 못함", "The file could not be read"),
    "not_looked_at": Text("읽거나 비교하지 못한 것", "Not read or not compared"),
    "pictures_kept": Text(
        "올린 파일의 사진을 보관하고 있습니다.", "The pictures of the file are kept with this search."
    ),
    "pictures_gone": Text(
        "보관 기간이 지나 파일과 사진을 지웠습니다.", "The files and their pictures have left by their age."
    ),
    "pictures_not_kept": Text(
        "올린 파일의 사진은 보관하지 않았습니다. 사진 파일은 올린 창에서만 보입니다.",
        "Pictures of the file were not kept. A picture file is shown in the tab alone that sent it.",
    ),
    "files_gone": Text(
        "보관된 파일이 없습니다. 파일을 다시 올리세요.", "The files are no longer there; send them again."
    ),
    "files_forgotten": Text("결과가 삭제되었습니다.", "This result was deleted."),
    "no_files": Text("파일을 고르세요.", "Choose a file first."),
    "upload_kind": Text(
        "{file}: 지원하지 않는 형식입니다. TIF, PDF, JPEG, PNG, WebP, BMP로 저장해 올리세요.",
        "{file}: not searched, its content is of another kind. Save it as TIF, PDF, JPEG, PNG, WebP or BMP.",
    ),
    "upload_empty": Text("{file}: 빈 파일입니다.", "{file}: the file is empty."),
    "upload_too_many": Text("한 번에 {files}개까지 올릴 수 있습니다.", "At most {files} files at once."),
    "upload_too_large": Text("합계 {size}까지 올릴 수 있습니다.", "At most {size} in all; send them in parts."),
    "upload_quota": Text(
        "진행 중인 검색의 파일이 {files}개를 넘습니다. 끝난 다음 다시 올리세요.",
        "More than {files} of your files would wait. Wait until a search has ended, then send them again.",
    ),
    "failed_search": Text(
        "검색하지 못했습니다. 잠시 뒤 다시 검색하고, 계속되면 관리자에게 아래 내용을 알리세요.",
        "The search failed. Try again later; if it fails again, tell an administrator what stands below.",
    ),
    "failed_StoreBusyError": Text(
        "다른 작업이 사진 색인을 사용하고 있어 검색하지 못했습니다. 입고 작업이 끝난 다음 다시 검색하세요.",
        "Another run holds the photo index. Search again when the ingestion has ended.",
    ),
    "failed_Killed": Text(
        "검색 작업이 중간에 끝났습니다. 다시 검색하고, 계속되면 관리자에게 알리세요.",
        "The run was killed before its end. Search again; if that happens again, tell an administrator.",
    ),
    "failed_Lost": Text(
        "심사 서버가 다시 시작되어 검색이 중단되었습니다. 다시 검색하세요.",
        "The desk was started anew and the search ended. Search again.",
    ),
    "failed_Canceled": Text(
        "관리자가 검색 작업을 중단했습니다.", "Somebody ended the run in Dagster. Ask why, then search again."
    ),
    "failed_Expired": Text(
        "정해진 시간 안에 끝나지 않아 파일을 지웠습니다. 다시 검색하세요.",
        "The run did not end in time, and the files left. Search again.",
    ),
    "failed_ServiceError": Text(
        "검색 서버가 응답하지 않습니다. 잠시 뒤 다시 검색하고, 계속되면 관리자에게 알리세요.",
        "The search could not be started. Try again later; if that fails, tell an administrator.",
    ),
    "failed_IndexSchemaError": Text(
        "검색할 사진 색인이 없습니다. 관리자에게 알리세요.",
        "There is no photo index to search yet. Tell an administrator.",
    ),
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
