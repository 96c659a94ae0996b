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
    # documents
    "number": Text("번호", "Number"),
    "arrivals": Text("입고 이력", "Arrivals"),
    "in_archive": Text("보관 중", "In the archive"),
    "not_in_archive": Text("보관 대상 아님", "Not in the archive"),
    "newer_version": Text("이 입고분은 최신이 아닙니다. 보관 중인 문서:", "A newer arrival is in the archive:"),
    "arrival_ok": Text("정상", "Read"),
    "arrival_partial": Text("일부만 읽음", "Read in part"),
    "arrival_rejected": Text("읽지 못함", "Rejected"),
    "arrival_duplicate": Text("중복", "Duplicate"),
    "arrival_pending": Text("대기", "Waiting"),
    "n_pages": Text("쪽", "Pages"),
    "n_photos": Text("사진 수", "Photos"),
    "page_n": Text("{n}쪽", "Page {n}"),
    "origin": Text("업무 흐름", "Pipeline"),
    "partition": Text("파티션", "Partition"),
    "runs": Text("실행", "Runs"),
    "texts": Text("읽은 글자", "Text read"),
    "results": Text("이 문서의 검사와 검색", "Screenings and searches of this document"),
    "screening_of": Text("입고 묶음 {drop} 검사", "Screening of drop {drop}"),
    "search_run": Text("검색", "Search"),
    "risk": Text("위험도", "Risk"),
    "flagged": Text("확인 대상", "Flagged"),
    "found_here": Text("이 문서의 사진이 있는 문서", "Found when this document was searched for"),
    "found_by": Text("이 문서를 찾아낸 문서", "Documents that found this one"),
    "own_photo": Text("이 문서", "Here"),
    "other_photo": Text("상대 사진", "There"),
    "cases_here": Text("심사 건", "Cases"),
    "own_case": Text("이 문서의 심사 건", "Case of this document"),
    "no_case": Text("이 문서의 심사 건은 없습니다.", "There is no case of this document."),
    "some_hidden": Text(
        "2차 심사를 기다리는 쌍의 판정은 표시하지 않습니다.",
        "Verdicts on pairs that wait for a second review are hidden.",
    ),
    "compare": Text("비교", "Compare"),
    "compare_with": Text("다른 문서와 비교", "Compare with another document"),
    "form_link": Text("서식의 그림", "picture of the form"),
    # merchants
    "merchant_documents": Text("이 가맹점의 문서", "Documents of this merchant"),
    "merchant_or_document": Text("사업자번호, 문서 이름, 문서 번호", "Merchant number, name or number of a document"),
    "find": Text("찾기", "Find"),
    "no_merchant": Text("그런 가맹점이나 문서가 없습니다.", "There is no such merchant or document."),
    "merchant_unknown": Text("가맹점을 알 수 없는 문서입니다.", "The merchant of this document is not known."),
    "ties": Text("같은 사진을 쓴 다른 가맹점", "Other merchants with the same photographs"),
    "no_ties": Text("같은 사진을 쓴 다른 가맹점이 없습니다.", "No other merchant shows a photograph of this one."),
    "shared_photographs": Text("같은 사진", "Photographs shared"),
    "their_documents": Text("그 가맹점의 문서", "Their documents"),
    "n_more": Text("외 {n}장", "{n} more"),
    # photo groups
    "group_says": Text(
        "이 사진이 있는 곳: 문서 {documents}건, 가맹점 {merchants}곳",
        "This shot stands in {documents} documents of {merchants} merchants",
    ),
    "timeline": Text("사용 시기", "Timeline"),
    "first_here": Text("최초 사용", "First use"),
    "other_merchants": Text("다른 가맹점 {n}곳", "{n} other merchants"),
    "open_pairs": Text("판정할 쌍", "Pairs to judge"),
    "no_open_pairs": Text("이 사진으로 판정할 쌍이 없습니다.", "No open case has a pair of this photograph."),
    "decide_once": Text("한 번에 판정", "Decide once"),
    "answer": Text("판정", "Verdict"),
    "preview": Text("미리 보기", "Preview"),
    "preview_says": Text(
        "아래 쌍마다 판정이 하나씩 남습니다. 아직 아무것도 남기지 않았습니다.",
        "Each pair below gets a verdict of its own. Nothing is filed yet.",
    ),
    "apply": Text("판정 남기기", "File these verdicts"),
    "back": Text("돌아가기", "Back"),
    "held": Text("다른 사람이 보고 있음", "Held by another person"),
    "will_be_filed": Text("판정함", "Will be filed"),
    "nothing_ticked": Text("판정할 쌍을 고르세요.", "Tick the pairs that are meant."),
    "group_decided": Text("심사 {cases}건의 쌍 {pairs}개", "{pairs} pairs of {cases} cases"),
    "group_left_out": Text(
        "심사 {n}건은 지금 판정할 수 없어 그대로입니다.", "{n} cases could not be judged now and stay as they were."
    ),
    # why was it not flagged?
    "why": Text("왜 표시되지 않았나?", "Why was it not flagged?"),
    "why_intro": Text(
        "두 문서의 번호나 이름을 적으면 마지막 검사가 두 문서의 사진을 어떻게 보았는지 알려 줍니다.",
        "Name two documents by number or name: the page says what their last screening knew of their photos.",
    ),
    "number_or_name": Text("번호 또는 이름", "Number or name"),
    "no_own_document": Text("심사 문서를 찾을 수 없습니다.", "There is no such document to look at."),
    "no_other_document": Text("상대 문서를 찾을 수 없습니다.", "There is no such other document."),
    "exchange": Text("서로 바꾸기", "Exchange both"),
    "no_match": Text("다른 사진", "no match"),
    "no_pairs": Text("비교할 사진 쌍이 없습니다.", "There is no pair of photos to show."),
    "why_same_document": Text(
        "두 번호는 같은 문서입니다. 문서를 그 자신과 비교하지 않습니다.",
        "Both numbers are one document; no document is compared with itself.",
    ),
    "why_not_current": Text(
        "둘 중 하나가 보관 중이 아니어서 검사하지 않습니다: 새 입고분으로 바뀌었거나 읽지 못했습니다.",
        "One of the two is not in the archive, so it is not compared: a newer arrival replaced it, or it was not read.",
    ),
    "why_not_screened": Text("심사 문서는 아직 검사하지 않았습니다.", "This document was not screened yet."),
    "why_not_searched": Text(
        "심사 문서를 검색하지 못했습니다: {detail}", "This document could not be searched for: {detail}"
    ),
    "why_flagged": Text(
        "이 상대 문서 때문에 표시되었습니다: 위험도 {risk}, 가장 확실한 쌍의 확률 {probability}.",
        "It was flagged, and this document is a reason: risk {risk}, best pair {probability}.",
    ),
    "why_below_flag": Text(
        "위험도에 반영되었지만 확인 기준보다 낮습니다: 위험도 {risk}, 기준 {flag}.",
        "It counts, but the risk is below the threshold of a flag: {risk}, threshold {flag}.",
    ),
    "why_same_merchant": Text(
        "같은 사진이지만 두 문서의 가맹점이 같아 위험도에 넣지 않습니다.",
        "Both show one photograph and are of one merchant, which may use its photos again.",
    ),
    "why_first_use": Text(
        "같은 사진을 심사 문서({own_date})가 상대 문서({other_date})보다 먼저 썼습니다. 표시되는 쪽은 나중 문서입니다.",
        "Both show one photograph, and this document ({own_date}) used it before the other ({other_date}); the later "
        "one is flagged.",
    ),
    "why_own_photo_again": Text(
        "같은 사진이지만 심사 문서의 가맹점이 처음 쓴 사진이어서 위험도에 넣지 않습니다.",
        "Both show one photograph, but the merchant of this document used it first itself.",
    ),
    "why_later": Text(
        "같은 사진이지만 상대 문서({other_date})가 심사 문서({own_date})보다 나중이어서 근거가 되지 않습니다.",
        "Both show one photograph, but the other document ({other_date}) is later than this one ({own_date}) and no "
        "reason against it.",
    ),
    "why_form_picture": Text(
        "여러 문서가 함께 쓰는 서식의 그림이어서 위험도에 넣지 않습니다.",
        "What both show is a picture of the form, which does not count.",
    ),
    "why_cannot_tell": Text(
        "같은 사진인지 다시 찍은 사진인지 구별할 수 없습니다: 확률 {probability}, 기준 {threshold}.",
        "Whether it is one photograph or another shot cannot be told: probability {probability}, a match needs "
        "{threshold}.",
    ),
    "why_other_shot": Text(
        "같은 장면을 따로 찍은 다른 사진이어서 위험도에 넣지 않습니다: 같은 사진일 확률 {probability}.",
        "Two shots of one scene, which do not count: probability of one photograph {probability}.",
    ),
    "why_shared_thing": Text(
        "같은 인쇄물이 찍혔을 뿐 다른 사진이어서 위험도에 넣지 않습니다: 같은 사진일 확률 {probability}.",
        "Different photos of one printed thing, which do not count: probability of one photograph {probability}.",
    ),
    "why_below_match": Text(
        "비슷한 사진을 찾았지만 같은 사진일 확률 {probability}가 기준 {threshold}보다 낮습니다.",
        "The screening compared them: the best pair is one photograph with probability {probability}, a match needs "
        "{threshold}.",
    ),
    "why_not_compared": Text("비교하다가 실패했습니다: {detail}", "Comparing them failed: {detail}"),
    "why_left_out": Text(
        "같은 가맹점의 문서를 빼고 검사하는 설정이어서 비교하지 않았습니다.",
        "The screening leaves out documents of the document's own merchant.",
    ),
    "why_not_found": Text(
        "마지막 검사에서 상대 문서는 후보로 나오지 않았습니다.",
        "The last screening did not find the other document among its candidates.",
    ),
    "now_compared": Text(
        "지금 비교한 결과(가능한 {of}쌍 중 {n}쌍): 가장 비슷한 쌍은 {kind}, 같은 사진일 확률 {probability}.",
        "Compared now ({n} of {of} pairs): the best pair is {kind}, one photograph with probability {probability}.",
    ),
    "now_nothing": Text(
        "지금 비교할 수 있는 사진 쌍이 없습니다(가능한 {of}쌍 중 {n}쌍).",
        "There is no pair of photos to compare now ({n} of {of}).",
    ),
    "now_not_indexed": Text(
        "색인이 아직 없어 지금 비교할 수 없습니다.", "They cannot be compared now: nothing is indexed yet."
    ),
    "now_failed": Text(
        "저장된 사진을 찾을 수 없어 지금 비교하지 못했습니다. 원인은 서버 로그에 있습니다.",
        "They could not be compared now: what is stored of their photos is gone. The server's log says where.",
    ),
    "n_inliers": Text("서로 맞는 점 {n}개", "{n} points agree"),
    "agreement_of": Text("겹치는 부분의 일치도 {share}", "agreement of the shared part {share}"),
    "similarity_of": Text("유사도 {value}", "similarity {value}"),
    # a person's own settings
    "profile": Text("내 설정", "My settings"),
    "shortcuts": Text("단축키", "Single keys"),
    "shortcuts_on": Text("단축키가 켜져 있습니다.", "Single keys press buttons."),
    "shortcuts_off": Text(
        "단축키가 꺼져 있습니다. 단추와 Tab, Enter는 그대로 동작합니다.",
        "Single keys do nothing. Buttons, Tab and Enter work as ever.",
    ),
    "switch_off": Text("끄기", "Switch off"),
    "switch_on": Text("켜기", "Switch on"),
    "this_browser": Text("이 브라우저에만 적용됩니다.", "This holds in this browser."),
    "language_of_desk": Text("언어", "Language"),
    "account": Text("계정", "Account"),
    # saved filters
    "saved_filters": Text("저장한 조건", "Saved filters"),
    "save_filter": Text("조건 저장", "Save filter"),
    "filter_name": Text("조건 이름", "Name of the filter"),
    "filter_saved": Text("조건을 저장했습니다.", "The filter is saved."),
    "filter_deleted": Text("조건을 지웠습니다.", "The filter is deleted."),
    "filters_full": Text("조건은 {n}개까지 저장할 수 있습니다.", "At most {n} filters can be saved."),
    "filter_empty": Text("저장할 조건이나 이름이 없습니다.", "There is no filter, or no name for it, to be saved."),
    "delete": Text("지우기", "Delete"),
    "date_from": Text("일자 시작", "Dated from"),
    "date_to": Text("일자 끝", "Dated to"),
    "business": Text("업종", "Business type"),
    "same_drop": Text("같은 입고 묶음", "Of the same drop"),
    "from_archive": Text("이전 입고 묶음", "Of an earlier drop"),
    "order": Text("정렬", "Order"),
    "by_age": Text("오래된 순", "Oldest first"),
    "by_risk": Text("확률 높은 순", "Most probable first"),
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
    "package_files": Text("원본 문서", "Documents"),
    "absent": Text("빠진 항목", "What is missing"),
    "digests": Text("해시와 버전", "Digests and versions"),
    "pair_key": Text("쌍 식별값", "Pair key"),
    "bytes": Text("크기(바이트)", "Bytes"),
    # the lead's reports
    "reports": Text("보고서", "Reports"),
    "report": Text("심사 보고서", "Review report"),
    "reports_says": Text(
        "매일 아침 전날의 보고서를, 매월 1일에 지난달의 보고서를 만듭니다.",
        "Yesterday's report is made every morning, last month's on the first of a month.",
    ),
    "no_reports": Text("아직 만든 보고서가 없습니다.", "No report was made yet."),
    "report_period": Text("기간", "Period"),
    "report_arrived": Text("입고 문서", "Documents"),
    "report_flagged": Text("확인 필요", "Flagged"),
    "report_judged": Text("판정한 쌍", "Pairs judged"),
    "report_waiting": Text("미완료 건", "Cases waiting"),
    "report_made": Text("작성 일시", "Made"),
    "report_files": Text("파일", "Files"),
    "report_unreadable": Text(
        "이 버전에서 읽을 수 없는 보고서입니다. 다시 만드세요.", "This version cannot read the report. Make it again."
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
    "unknown_person": Text(
        "이 화면을 쓸 수 있는 사용자로 등록되어 있지 않습니다. 관리자에게 등록을 요청하세요.",
        "You are signed in, and not known here. Ask an administrator to add you.",
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
