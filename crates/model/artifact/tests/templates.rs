//! Templates that leave their sandbox are seen however they spell it, and ordinary ones are let be.

use bartizan_artifact::INSPECTORS;
use bartizan_inspect::{Examination, Limits, Source, examine};

fn look(name: &str, bytes: &[u8]) -> Examination {
    examine(&Source::from_bytes(name, bytes.to_vec(), Limits::default()), INSPECTORS)
}

#[track_caller]
fn hostile(template: &str) {
    let seen = look("chat_template.jinja", template.as_bytes());
    assert!(seen.findings.iter().any(|finding| finding.rule.id == "BZ-REP-002"), "{template}: {seen:?}");
    let json =
        serde_json::json!({"tokenizer_class": "T", "chat_template": [{"name": "default", "template": template}]});
    let seen = look("tokenizer_config.json", json.to_string().as_bytes());
    assert!(seen.findings.iter().any(|finding| finding.rule.id == "BZ-REP-002"), "{template}: {seen:?}");
}

#[track_caller]
fn ordinary(template: &str) {
    let seen = look("chat_template.jinja", template.as_bytes());
    assert!(seen.findings.is_empty() && seen.completeness.is_complete(), "{template}: {seen:?}");
}

#[test]
fn names_of_internals_that_a_template_puts_together_are_seen() {
    for template in [
        "{%- set u = '_' * 2 -%}{{ (self | attr(u ~ 'init' ~ u) | attr(u ~ 'globals' ~ u))['o' ~ 's'] }}",
        "{{ '' | attr('_' ~ '_class_' ~ '_') }}",
        "{{ ''['__cl'~'ass__'] }}",
        "{{ ''['__cl' 'ass__'] }}",
        "{{ ''[('__cl') + ('ass__')] }}",
        "{{ x |\n attr ( name ) }}",
        "{{ x|attr('\\x5f\\x5fclass\\x5f\\x5f') }}",
        "{{ x['\\137\\137class\\137\\137'] }}",
        "{{ x['\\N{LOW LINE}_class__'] }}",
        "{{ x.\u{ff3f}_class\u{ff3f}_ }}",
        "{{ x . __class__ }}",
        "{{ x|map(attribute=('_'*2)~'class'~('_'*2)) }}",
        "{{ x|map('attr', name) }}",
        "{{ x|sort(attribute=name) }}",
        "{{ x|sort(false, false, name) }}",
        "{{ x|groupby(name) }}",
        "{{ x|selectattr('a._b') }}",
        "{{ x|map(*names) }}",
        "{% filter attr(name) %}x{% endfilter %}",
        "{% set k = ['_', '_', 'class', '_', '_']|join %}{{ x[k] }}",
        "{% set k = '%c%cclass%c%c' % (95, 95, 95, 95) %}{{ x[k] }}",
        "{% set k = '%c%cclass'|format(95, 95) %}{% set j = k %}{{ x[j] }}",
        "{% set k = 'ssalc'[::-1] %}{% set j = a + k + a %}{{ x[j] }}",
        "{% set k %}__class__{% endset %}{{ x[k] }}",
        "{% set ns = namespace(a='_') %}{{ x[ns.a + ns.a + b] }}",
        "{% set ns.k = u ~ v %}{{ x[ns.k] }}",
        "{% macro m() %}__class__{% endmacro %}{{ x[m()] }}",
        "{% macro m(x, k) %}{{ x[k] }}{% endmacro %}{{ m('', u ~ 'class' ~ u) }}",
        "{% for k in [u ~ 'class' ~ u] %}{{ x[k] }}{% endfor %}",
        "{{ x[u ~ 'class'] }}",
        "{{ x[name|replace('-', '_')] }}",
        "{{ x['-class-'.replace('-', '_')] }}",
        "{{ ('{0.' ~ u ~ 'class}').format(x) }}",
        "{{ x[dict(__class__=1)|first] }}",
        "{{ x.func_globals }}",
        "{{ x['gi_' ~ 'frame'] }}",
        "{{ lipsum }}",
        "{# }} #}{{ '}}' ~ x.__class__ }}",
        "{% raw %}{% endraw %}{{ x.__class__ }}",
    ] {
        hostile(template);
    }
}

#[test]
fn ordinary_templates_are_not_held_against_anybody() {
    for template in [
        "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>'}}{% endfor %}",
        "{% if messages[0]['role'] == 'system' %}{% set loop_messages = messages[1:] %}{% set system_message = messages[0]['content'] %}{% else %}{% set loop_messages = messages %}{% set system_message = false %}{% endif %}{% for message in loop_messages %}{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('Conversation roles must alternate') }}{% endif %}{% if loop.index0 == 0 and system_message != false %}{% set content = '<<SYS>>\\n' + system_message + '\\n<</SYS>>\\n\\n' + message['content'] %}{% else %}{% set content = message['content'] %}{% endif %}{{ bos_token + '[INST] ' + content.strip() + ' [/INST]' }}{{ roles[message['role']] }}{% endfor %}",
        "{%- set offset = 1 if messages[0].role == 'system' else 0 %}{%- set ns = namespace(multi_step_tool=true, last_query_index=messages|length - 1) %}{%- for message in messages[::-1] %}{%- set index = (messages|length - 1) - loop.index0 %}{{ messages[loop.index0 - 1] }}{{ messages[index + offset].content }}{%- set ns.last_query_index = index %}{{ messages[ns.last_query_index]['role'] }}{%- endfor %}",
        "{%- set content = message.content.split('</think>')[-1].lstrip('\\n') %}{{ tool | tojson(indent=4) }}{%- for tool_name, tool in tools|items %}{{ tools[tool_name] }}{% endfor %}",
        "{%- macro render_extra_keys(json_dict, handled_keys) -%}{%- if json_dict is mapping %}{%- for json_key in json_dict if json_key not in handled_keys %}{%- if json_dict[json_key] is mapping or (json_dict[json_key] is sequence and json_dict[json_key] is not string) %}{{- '\\n<' ~ json_key ~ '>' ~ (json_dict[json_key] | tojson | safe) ~ '</' ~ json_key ~ '>' }}{%- endif %}{%- endfor %}{%- endif %}{%- endmacro %}{{ render_extra_keys(param_fields, handled_keys) }}{%- set handled_keys = ['name', 'type', 'description'] %}",
        "{%- macro json_to_python_type(json_spec) %}{%- set basic_type_map = {'string': 'str', 'number': 'float'} %}{%- if basic_type_map[json_spec.type] is defined %}{{- basic_type_map[json_spec.type] }}{%- elif json_spec.type == 'array' %}{{- 'list[' + json_to_python_type(json_spec|items) + ']' }}{%- endif %}{%- endmacro %}{%- for param_name, param_fields in tool.parameters.properties|items %}{{ tool.parameters.properties[param_name] }}{%- endfor %}",
        "{% set ns = namespace(is_first=false, system_prompt='', is_output_first=true) %}{%- for message in messages %}{%- if message['role'] == 'system' %}{% set ns.system_prompt = ns.system_prompt + '\\n\\n' + message['content'] %}{%- endif %}{%- endfor %}{{ bos_token }}{{ ns.system_prompt }}{{ message['tool_calls'][0]['function']['arguments'] }}",
        "{%- set user_messages = messages | selectattr('role', 'equalto', 'user') | list %}{{ user_messages[-1].content }}{{ user_messages | map(attribute='content') | join('\\n') }}{{ messages | selectattr('tool_calls') | list | length }}",
        "{{- '<|start_header_id|>system<|end_header_id|>\\n\\n' }}{%- if not date_string is defined %}{%- set date_string = strftime_now('%d %b %Y') %}{%- endif %}{%- set user_supplied_system_message = messages[0]['content']|trim %}{%- set tool_call = message.tool_calls[0].function %}{{- tool_call.name + '(' }}{%- for arg_name, arg_val in tool_call.arguments | items %}{{- arg_name + '=\"' + arg_val + '\"' }}{%- endfor %}",
        "{{ hostvars[host]['ansible_' ~ interface].ipv4.address }}{{ x.y|default('a') }}{{ '<__media__>' }}{{ '%s: %s' % (a, b) }}{{ a ~ '_' ~ b }}",
        "{# {{ x.__class__ }} is never rendered #}{%- if x is not none and y >= 1.5 and z is divisibleby 2 -%}{{ x // 2 ** 3 }}{%- endif -%}",
        "def f(self):\n    self.__init__ = {'a': {}}\n",
    ] {
        ordinary(template);
    }
}

#[test]
fn templates_that_are_not_understood_are_gaps() {
    for template in
        [format!("{{{{{}", "(".repeat(50_000)), "{{ x".to_owned(), "{{ x $ y }}".to_owned(), "{# x".to_owned()]
    {
        let seen = look("chat_template.jinja", template.as_bytes());
        assert!(!seen.completeness.is_complete(), "{seen:?}");
    }
    // Many programs call their files so, and no Jinja renders what it can't compile.
    let other = look("config.tmpl", b"{{- range $i, $e := .Values }}{{ $e }}{{ end }}");
    assert!(other.findings.is_empty() && other.completeness.is_complete(), "{other:?}");
}
