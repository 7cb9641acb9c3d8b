"""The forms that instructions to a reader take, in English and in two dozen other languages."""

# ruff: noqa: E501, RUF001 - one form a line, and letters that look like others are the matter here

from __future__ import annotations

import re
from collections.abc import Mapping

_WHAT = (
    r"(?:instructions?|rules?|prompts?|guidelines?|directions?|orders?|context|messages?|evidence"
    r"|constraints?|polic(?:y|ies)|everything|anything|whatever|metrics?|data|findings?|alerts?)"
)
_DROP = (
    r"(?:ignore|disregard|forget|override|overlook|discard|bypass|set aside|throw away"
    r"|stop following|pay no attention to|do not (?:follow|trust|use|obey))"
)
_WELL = (
    r"(?:all[ -]?clear|no incident|false (?:alarm|positive)|healthy|resolved|benign|harmless"
    r"|nothing (?:is )?(?:wrong|broken|happened)|no (?:action|problem|issue|impact|fault|outage)"
    r"|not an (?:incident|outage)|as expected|everything is (?:fine|ok|well|normal))"
)
_TELL = (
    r"(?:report|state|write|say|conclude|declare|mark|classify|answer|respond|reply|tell|claim"
    r"|output|pretend|assert|announce|confirm|summari[sz]e|treat|close|put|set|note|blame|name|call)"
)
_READER = (
    r"(?:ai|llm|gpt|chat ?bot|bot|language model|assistant|analyst|copilot|agent|model|mistral"
    r"|automated (?:reader|system|reviewer)|root[- ]cause (?:tool|engine|analysis))"
)
_HIDDEN = (
    r"(?:secrets?|tokens?|api[ _-]?keys?|passwords?|credentials?|system prompt|your (?:prompt|rules"
    r"|instructions|configuration)|environment(?: variables?)?|headers?|private keys?)"
)
_PATTERNS: Mapping[str, str] = {
    "sets rules aside": (
        rf"\b{_DROP}\b[^.\n]{{0,40}}?\b(?:previous|prior|above|earlier|preceding|former|all|any|your"
        rf"|these|those|other|the rest|this)\b[^.\n]{{0,40}}?\b{_WHAT}\b"
        rf"|\b(?:new|updated|real|actual|true) (?:instructions?|orders?|task|rules?)\b\s*[:=-]"
        rf"|\b(?:previous|prior|above|earlier) {_WHAT} (?:is|are|was|were) (?:void|wrong|obsolete"
        r"|cancell?ed|superseded|outdated|a test|no longer)"
    ),
    "speaks to a model": (
        rf"\b(?:dear|hey|hello|attention|note to|message (?:to|for)|instructions? (?:to|for)|for)"
        rf"(?: the| any| all| every| whichever)? {_READER}(?: reading| that reads| who reads|s)?\b\s*[:,!-]"
        rf"|(?:^|[.!?\n\"'(]\s*){_READER}\s?[:,]\s*(?:please|you|now|must|do|{_DROP}|{_TELL})\b"
        r"|\byou are (?:now|no longer|hereby) |\bas an? (?:ai|language model|assistant|analyst),? you"
        r"|\b(?:developer|debug|admin|maintenance|god|root) mode (?:is )?(?:on|enabled|active)"
        r"|\bwhen (?:you|the (?:model|analyst|assistant|ai)) (?:write|writes|summari[sz]e|report|read)"
        rf"|\bif you are (?:an? )?{_READER}\b|\byour (?:report|answer|reply|conclusion|verdict|task)"
        r" (?:must|should|shall|is to|has to|will)\b"
    ),
    "imitates a conversation": (
        r"<\|?/?\s?(?:im_start|im_end|system|assistant|user|endoftext|tool_call|tool|evidence|incident"
        r"|suspects|changes|runbooks|s)\s?\|?>|\[/?(?:inst|system|tool_calls|available_tools)\]"
        r"|(?:^|\n)\s*#{0,4}\s*(?:system|assistant|developer)\s*(?:prompt|message)?\s*:\s*"
        rf"(?:please|you|i|we|now|must|do|{_DROP}|{_TELL})\b"
        r"|\"?(?:tool_calls|tool_choice|submit_report)\"?\s*[:({]|\"role\"\s*:\s*\"(?:system|assistant)"
        r"|\bend of (?:the )?(?:evidence|data|input|untrusted|user message|log)\b[^.\n]{0,20}(?:[.:=-]|$)"
    ),
    "orders a verdict": (
        rf"\b(?:must|should|please|now|always|only|just|simply|instead|immediately|and|then|to)\s+{_TELL}\b"
        rf"[^.\n]{{0,80}}?\b(?:{_WELL}|root cause|first cause|culprit|confidence|severity)"
        rf"|(?:^|[.!?:;\n]\s*){_TELL}\b(?: that| it| this| the| in)?[^.\n]{{0,60}}?\b{_WELL}"
        r"|\b(?:blame|accuse)\b[^.\n]{2,80}"
        rf"|\b{_TELL}\b(?: \S{{1,30}}){{0,4}} that\b[^.\n]{{0,60}}?\b{_WELL}"
        r"|\bthe (?:only|real|true|actual) (?:root )?cause (?:is|was|to report)\b"
        r"|\b(?:set|raise|use|with|give) (?:the )?(?:maximum|full|high(?:est)?) confidence\b"
    ),
    "asks for silence": (
        r"\b(?:do not|don't|dont|never|stop|refrain from|avoid|no need to)\s+(?:to\s+)?(?:mention(?:ing)?"
        r"|report(?:ing)?|page|paging|alert(?:ing)?|escalat(?:e|ing)|investigat(?:e|ing)|includ(?:e|ing)"
        r"|tell(?:ing)?|wake|notify|cit(?:e|ing)|quot(?:e|ing)|look(?:ing)? (?:at|into|further))\b"
        r"|\b(?:suppress|silence|mute|hide|conceal|downgrade|lower) (?:this|the|all|any|every|its)"
        r" (?:alerts?|incidents?|pages?|findings?|evidence|report|severity)"
    ),
    "asks for secrets": (
        rf"\b(?:send|post|print|include|reveal|repeat|leak|paste|show|exfiltrate|append|upload|dump"
        rf"|disclose|forward|copy|quote|list|encode|embed|output)\b[^.\n]{{0,60}}?"
        rf"\b(?:(?:all|every|any|each|the|your|those|these)\s(?:[a-z]+\s){{0,2}}|(?=your)){_HIDDEN}\b(?! per| a )"
    ),
    "asks for an action": (
        r"\b(?:call|invoke|use|trigger|run|execute)\b[^.\n]{0,30}?\b(?:tools?|functions?|plug-?ins?)\b"
        r"|(?:^|[.!?:;\n]\s*|\b(?:must|please|now|then|and|to fix (?:this|it),?)\s+)"
        r"(?:run|execute|apply|install|download|paste|type)\b[^.\n]{0,60}?(?:\bkubectl|\bcurl|\bwget|\bsudo"
        r"|\brm -|\bpip |\bnpm |\bbash\b|\bsh\b|\bpowershell|\bhelm|https?:|\bscript)"
        r"|\b(?:visit|click|follow|open|fetch|go to|browse|see|download|load|add|put|link to|tell [a-z ]{2,30} to"
        r" (?:visit|open))\b[^.\n]{0,40}?(?:https?:|hxxps?:|www\.|!?\[[^\]\n]{0,60}\]\()"
        r"|!\[[^\]\n]{0,80}\]\(\s*(?:https?:)?//"
    ),
    # The same in other languages: setting aside, ordering an all-clear, speaking to a model.
    "orders in another language": (
        r"ignor(?:e[rz]?|ieren? sie|iere|ere|ar?|ad|a|uj)\b[^.\n]{0,50}\b(?:instru|anweis|consign|istruz|"
        r"regl|règl|regeln|regole|alles|tout|tutto|todo|poleceni|instrukc|vorherig|bisherig|précéd|anterior)"
        r"|oubli(?:e|ez|er) [^.\n]{0,40}(?:instru|consign|règl)|vergiss [^.\n]{0,40}(?:anweis|regel|alles)"
        r"|vergeet [^.\n]{0,40}(?:instruc|regels)|negeer [^.\n]{0,40}(?:instruc|regels|alles)"
        r"|olvid[ae] [^.\n]{0,40}(?:instruc|reglas)|dimentica [^.\n]{0,40}(?:istruz|regole)"
        r"|esque[çc]a [^.\n]{0,40}(?:instru|regras)|desconsidere [^.\n]{0,40}(?:instru|regras)"
        r"|zignoruj|pomiń [^.\n]{0,40}(?:instrukc|poleceni)|önceki (?:tüm )?talimat|talimatları (?:yok say|unut)"
        r"|игнорир\w+|забудь\w* [^.\n]{0,40}(?:инструкц|правил)|ігнору\w+|αγνόησ\w+|अनदेखा|नज़रअंदाज़|تجاهل|התעלם"
        r"|忽略|无视|無視|무시|bỏ qua [^.\n]{0,30}(?:hướng dẫn|chỉ dẫn)|abaikan [^.\n]{0,30}(?:instruksi|perintah)"
        r"|ignorera [^.\n]{0,40}(?:instruk|regler)"
        r"|(?:melde|berichte|schreib\w*|erkläre|signale|rapporte[rz]?|déclare[rz]?|écri[st]\w*|informa|reporta"
        r"|declara|scrivi|segnala|relate|meld|schrijf|zgłoś|napisz|сообщи\w*|напиши\w*|повідом\w*|rapportera"
        r"|bildir|laporkan|báo cáo|αναφέρ\w+)\b[^.\n]{0,70}(?:entwarn|alles (?:ist )?(?:in ordnung|gut|goed|bra)"
        r"|kein (?:vorfall|problem)|fehlalarm|fausse alerte|tout va bien|aucun (?:incident|problème)"
        r"|falsa alarma|todo (?:está )?bien|sin incidente|falso allarme|tutto (?:va )?bene|nessun"
        r"|falso alarme|tudo (?:está )?bem|vals alarm|geen incident|fałszywy alarm|wszystko (?:jest )?w porządku"
        r"|ложн\w+ тревог|всё в порядке|все в порядке|нет инцидент|хибн\w+ тривог|falskt larm|yanlış alarm"
        r"|sorun yok|tidak ada masalah|không có sự cố|ψευδής συναγερμός)"
        r"|误报|一切正常|没有(?:事故|问题|故障)|誤報|異常なし|問題(?:は)?(?:あり|な)|오탐|이상 없음|문제 없|إنذار كاذب|لا توجد مشكلة"
        r"|गलत अलार्म|सब ठीक|אזעקת שווא|הכל תקין"
    ),
}
COMPILED = tuple(
    (kind, re.compile(pattern, re.IGNORECASE | re.MULTILINE)) for kind, pattern in _PATTERNS.items()
)
ALL_CLEAR = re.compile(
    rf"\b(?:{_WELL}|can (?:safely )?be (?:ignored|closed)|safe to (?:ignore|close)|stand down"
    r"|needs? (?:nothing|no attention)|working (?:normally|as intended)|entwarnung|fehlalarm"
    r"|fausse alerte|tout va bien|falsa alarma|falso allarme|falso alarme|vals alarm"
    r"|fałszywy alarm)\b|ложная тревога|误报|一切正常|誤報|異常なし|오탐|이상 없음|إنذار كاذب",
    re.IGNORECASE,
)
# One of these is in whatever a pattern finds in plain letters: the others need not be looked for.
STEMS = re.compile(
    r"ign|disreg|forget|overri|overlook|discard|bypass|set aside|throw|stop|pay no|do not|don't|dont"
    r"|never|refrain|avoid|no need|instruct|orders?|task|rules|void|dear|hey|hello|attention|note|"
    r"message|assistant|analyst|model|you are|as an? |mode |when|your|role|tool|submit|end of|inst\]"
    r"|<|report|state|write|say|conclude|declare|mark|class|answer|respond|reply|tell|claim|output"
    r"|pretend|assert|announce|confirm|summar|treat|close|put|blame|name|call|only|real|true|actual"
    r"|confidence|suppress|silence|mute|hide|conceal|downgrade|lower|send|post|print|include|reveal"
    r"|repeat|leak|paste|show|exfil|append|upload|dump|disclose|forward|copy|quote|list|encode|embed"
    r"|invoke|use|trigger|run|exec|apply|install|download|type|visit|click|follow|open|fetch|go to"
    r"|browse|see|load|add|link|!\[|bot|llm|gpt|agent|copilot|mistral|system|developer|rapp|meld|zgl"
    r"|napisz|bild|lapor|info|decl|scriv|segn|relat|schr|bericht|signal|oubl|verg|olvid|dimen|esque"
    r"|descon|negeer|abaik|bisher|tout va|entwarn|fehlalarm",
    re.IGNORECASE,
)
# Letters of other scripts that look like Latin ones, and digits that stand for letters.
ALIKE = str.maketrans(
    "аеорсухіјѕһԁԛԝвкмнтАВЕКМНОРСТУХІЈЅαορυχνικτΑΒΕΖΗΙΚΜΝΟΡΤΥΧɑɡıℓ",
    "aeopcyxijshdqwbkmhtABEKMHOPCTYXIJSaopuxviktABEZHIKMNOPTYXagil",
)
LEET = str.maketrans("013457@$!", "oieastasi")
