"""Every word of the lead's report, in Korean and English."""

from doc_assets.reports.wording import Text

WORDS: dict[str, Text] = {
    "title": Text("사진 재사용 심사 보고서", "Photo re-use review report"),
    "made": Text("{period} ({timezone}) · 작성 {made}", "{period} ({timezone}) · made {made}"),
    "none": Text("–", "–"),
    # sections
    "summary": Text("요약", "Summary"),
    "arrivals": Text("입고", "Arrivals"),
    "rejects": Text("반려", "Rejects"),
    "photos": Text("문서당 사진 수", "Photos per document"),
    "risks": Text("위험도 분포", "Risk"),
    "outliers": Text("이상값", "Outliers"),
    "drift": Text("이전 30일과 비교", "Compared with the 30 days before"),
    "precision": Text("사유별 적중률", "Precision by reason"),
    "agreement": Text("1차·2차 판정 일치도", "Agreement of first and second reviewers"),
    "backlog": Text("미완료 건", "Cases that wait"),
    "reliability": Text("확률의 신뢰도", "Reliability of the probability"),
    # notes
    "nothing_arrived": Text("이 기간에 입고된 문서가 없습니다.", "No document arrived in this period."),
    "nothing_rejected": Text("반려된 문서가 없습니다.", "No document was rejected."),
    "nothing_cut": Text("사진을 찾은 문서가 없습니다.", "No document was searched for photos."),
    "nothing_searched": Text("검사한 문서가 없습니다.", "No document was screened."),
    "nothing_judged": Text("판정이 없습니다.", "Nothing was judged."),
    "nobody_twice": Text("1차와 2차 판정이 모두 있는 쌍이 없습니다.", "No pair has a first and a second verdict."),
    "nothing_waits": Text("기다리는 건이 없습니다.", "No case waits."),
    "sender_is_source": Text(
        "보낸 곳은 입고 경로로 구분합니다. 키 목록의 열로 구분하려면 "
        "DOC_ASSETS_REPORT_SENDER_COLUMN에 열 이름을 적습니다.",
        "The source of the drop stands for the sender. Name a column of the key table in "
        "DOC_ASSETS_REPORT_SENDER_COLUMN to tell senders apart by it.",
    ),
    "sender_is_column": Text("보낸 곳: 키 목록의 “{column}” 열", "Sender: column “{column}” of the key table"),
    "without_sender": Text(
        "이 열에 값이 없는 문서 {n}건은 표에 없습니다.",
        "{n} documents have nothing in this column; the table lacks them.",
    ),
    "photos_mean": Text(
        "문서 {documents}건, 평균 {mean}장, 중앙값 {median}장", "{documents} documents, mean {mean}, median {median}"
    ),
    "risks_says": Text(
        "검사한 문서 {searched}건 중 확인 필요 {flagged}건", "Of {searched} screened documents {flagged} were flagged"
    ),
    "no_columns": Text(
        "비교할 열이 설정되지 않았습니다. DOC_ASSETS_REPORT_GROUP_COLUMNS에 지점과 조사자의 열 이름을 적습니다.",
        "No column is set. Name those of branch and inspector in DOC_ASSETS_REPORT_GROUP_COLUMNS.",
    ),
    "no_column": Text(
        "“{column}”: 이 기간의 어느 문서에도 이 열의 값이 없습니다. 키 목록에 이 열이 있는지, "
        "DOC_ASSETS_KEY_FIELDS에 적혀 있는지 확인하세요.",
        "“{column}”: no document of this period has a value in this column. See whether the key table has it and "
        "DOC_ASSETS_KEY_FIELDS names it.",
    ),
    "few_groups": Text(
        "“{column}”: 문서가 {fewest}건 이상인 값이 {groups}개뿐이라 비교하지 않았습니다 ({wanted}개부터 비교).",
        "“{column}”: only {groups} values have {fewest} documents or more; {wanted} are needed to compare them.",
    ),
    "no_outlier": Text(
        "“{column}”: 값 {groups}개 중 범위를 벗어난 것이 없습니다.", "“{column}”: none of {groups} values lies outside."
    ),
    "outlier_rule": Text(
        "범위: 1사분위수 - 1.5 × 사분위 범위부터 3사분위수 + 1.5 × 사분위 범위까지. 이름순이며 순위가 아닙니다. "
        "범위를 벗어난 값은 살펴볼 이유이지 잘못의 증거가 아닙니다.",
        "Range: from the lower quartile less 1.5 interquartile ranges to the upper quartile plus as much. In the order "
        "of names, which is no ranking. A value outside is a reason to look, no proof of a wrong.",
    ),
    "drift_rule": Text(
        "PSI: 0.1 미만이면 안정, 0.25 이상이면 크게 달라짐. 우연 한도는 변화가 없어도 20번에 한 번은 "
        "넘는 값으로, 문서가 적을수록 큽니다.",
        "PSI: below 0.1 stable, from 0.25 on a large shift. Chance is what one comparison in twenty exceeds without "
        "any shift; the fewer documents, the larger it is.",
    ),
    "precision_rule": Text(
        "{since} 이후 판정한 쌍. 적중률은 판단 불가를 뺀 쌍 중 실제로 같은 사진이었던 비율이고, 괄호는 95% 구간입니다.",
        "Pairs judged since {since}. Precision is the share that is one photograph, pairs that nobody could tell left "
        "out; in brackets the 95% interval.",
    ),
    "agreement_rule": Text(
        "카파: 1이면 완전 일치, 0이면 우연 수준. 2차 심사는 부정 사용 건과 일부 표본만 받으므로 전체 심사의 "
        "일치도는 아닙니다. 쌍이 적으면 값이 크게 흔들립니다. 사람별 순위는 만들지 않습니다.",
        "Kappa: 1 is full agreement, 0 that of chance. Second reviews are of frauds and a sample of the rest, so this "
        "is not the agreement on all cases. With few pairs the figure moves a lot. People are never ranked.",
    ),
    "backlog_says": Text("기간 끝에 기다리던 건: {cases}건", "Cases waiting at the end of the period: {cases}"),
    "reliability_says": Text(
        "최근 90일에 판정한 쌍 {n}개. 로그 손실 {log_loss}, 브라이어 점수 {brier} (작을수록 좋음)",
        "{n} pairs judged in the last 90 days. Log loss {log_loss}, Brier score {brier} (lower is better)",
    ),
    "reliability_rule": Text(
        "점이 대각선 위에 있으면 확률이 실제보다 낮고, 아래에 있으면 높습니다. 세로선은 95% 구간입니다. "
        "심사 건이 된 쌍만 있으므로 낮은 확률은 거의 없습니다.",
        "Above the diagonal the probability says too little, below it too much; the lines are 95% intervals. Only "
        "pairs of cases were judged, so low probabilities are rare.",
    ),
    "pair_model": Text("사진 쌍 모델: {model}", "Model of photo pairs: {model}"),
    "codes": Text("사유 코드별: {codes}", "By code of the reason: {codes}"),
    "chart_photos": Text("가로: 문서 한 건의 사진 수, 세로: 문서 수", "Across: photos of a document; up: documents"),
    "chart_risks": Text("가로: 위험도, 세로: 문서 수", "Across: risk; up: documents"),
    "chart_backlog": Text("가로: 경과 일수, 세로: 건수", "Across: age in days; up: cases"),
    "chart_reliability": Text(
        "가로: 모델의 확률, 세로: 실제로 같은 사진이었던 비율", "Across: probability; up: share that was one photograph"
    ),
    "as_table": Text("표로 보기", "As a table"),
    "waiting_for": Text("기다리는 일: {states}", "They wait for: {states}"),
    # columns
    "figure": Text("항목", "Figure"),
    "value": Text("값", "Value"),
    "state": Text("상태", "State"),
    "documents": Text("문서", "Documents"),
    "share": Text("비율", "Share"),
    "code": Text("사유 코드", "Code of the reason"),
    "sender": Text("보낸 곳", "Sender"),
    "rejected": Text("반려", "Rejected"),
    "n_photos": Text("사진 수", "Photos"),
    "risk": Text("위험도", "Risk"),
    "column": Text("열", "Column"),
    "name": Text("이름", "Name"),
    "measure": Text("지표", "Measure"),
    "range": Text("범위", "Range"),
    "psi": Text("PSI", "PSI"),
    "chance": Text("우연 한도", "Chance"),
    "level": Text("판단", "Reading"),
    "before": Text("이전 30일", "30 days before"),
    "now": Text("이 기간", "This period"),
    "finding": Text("사유", "Reason"),
    "pairs": Text("쌍", "Pairs"),
    "cannot_tell": Text("판단 불가", "Cannot tell"),
    "same": Text("같은 사진", "Same photograph"),
    "fraud": Text("부정 사용", "Fraud"),
    "interval": Text("95% 구간", "95% interval"),
    "month": Text("월", "Month"),
    "observed": Text("일치 비율", "Agree"),
    "kappa": Text("카파", "Kappa"),
    "age": Text("경과 일수", "Age in days"),
    "cases": Text("건", "Cases"),
    "answer": Text("판정", "Verdict"),
    "probability": Text("확률", "Probability"),
    "mean_probability": Text("평균 확률", "Mean probability"),
    # figures of the summary
    "sum_documents": Text("입고 문서", "Documents arrived"),
    "sum_rejected": Text("반려", "Rejected"),
    "sum_flagged": Text("확인 필요", "Flagged"),
    "sum_judged": Text("판정한 쌍", "Pairs judged"),
    "sum_waiting": Text("미완료 건", "Cases waiting"),
    "sum_drift": Text("분포 변화", "Shifts"),
    # values
    "state_ok": Text("정상", "Read"),
    "state_partial": Text("일부만 읽음", "Read in part"),
    "state_rejected": Text("반려", "Rejected"),
    "state_duplicate": Text("중복 파일", "Duplicate"),
    "state_pending": Text("처리 전", "Not processed yet"),
    "measure_flagged": Text("확인 필요 비율", "Share flagged"),
    "measure_rejected": Text("반려 비율", "Share rejected"),
    "measure_photos": Text("문서당 사진 수", "Photos per document"),
    "drift_risk": Text("위험도", "Risk"),
    "drift_photos": Text("문서당 사진 수", "Photos per document"),
    "drift_state": Text("읽기 결과", "What became of files"),
    "level_stable": Text("안정", "Stable"),
    "level_some": Text("달라짐", "Shifted"),
    "level_large": Text("크게 달라짐", "Shifted much"),
    "level_by_chance": Text("문서가 적어 알 수 없음", "Too few documents to tell"),
    "level_no_reference": Text("이전 30일에 자료 없음", "Nothing in the 30 days before"),
    "level_nothing": Text("이 기간에 자료 없음", "Nothing in this period"),
    "answer_fraud": Text("같은 사진 · 부정 사용", "Same · fraud"),
    "answer_allowed": Text("같은 사진 · 허용", "Same · allowed"),
    "answer_other_shot": Text("같은 장면의 다른 사진", "Another shot"),
    "answer_shared_thing": Text("같은 인쇄물", "Same printed thing"),
    "answer_different": Text("다른 사진", "Different"),
    "answer_cannot_tell": Text("판단 불가", "Cannot tell"),
    "waits_open": Text("심사 대기", "To judge"),
    "waits_second": Text("2차 심사", "Second review"),
    "waits_disputed": Text("의견 불일치", "Disputed"),
    "waits_judged_since": Text("그 뒤에 처리됨", "Settled since"),
    "every_finding": Text("전체", "All"),
    "unknown_finding": Text("사유 기록 없음", "Reason not kept"),
    "one_answer_only": Text("모두 같은 판정", "all said the same"),
}
